/**
 * Group commit. Everything that wants to write while the commit before is under way shares one
 * transaction: what a durable write costs is the way to the server and its fsync. Claims from a long
 * backlog go beside that, on a connection of their own: they concern other jobs than what is settled
 * meanwhile. Owns what waits; knows no job and no connection.
 *
 * Invariant: an operation's promise resolves only after the commit that holds it, and rejects only
 * if nothing of it was written, or says that this is not known.
 */
import { setImmediate } from "node:timers";
import { StoreUnavailableError } from "../../job/errors.ts";
import type { WriteOrder } from "../shared/operations.ts";
import { Committer } from "./committer.ts";
import type { Session } from "./connection.ts";
import { isConflict } from "./errors.ts";
import { fold } from "./fold.ts";
import type { Place } from "./migrate.ts";
import type { Server } from "./server.ts";
import type { OpenTransaction, Transaction } from "./transaction.ts";

interface Operation {
  readonly work: (transaction: Transaction) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly isQuiet: boolean;
  readonly beside: PostgresOrder["beside"];
}

export interface PostgresOrder extends WriteOrder {
  /**
   * Of those that come last: it need not see what is being written. `meanwhile`: rather than wait for a
   * commit that is under way; `always`: even when it could go with the next one.
   */
  readonly beside?: "meanwhile" | "always";
  /** Others need not look because of it. */
  readonly isQuiet?: boolean;
}

/** At most so many operations share a commit, so that one turn stays short. */
const MAX_BATCH = 1_000;

/** How long a write that promises nothing waits for another one to share its commit. */
const LAZY_MS = 20;

/** Others are told no more often than this. */
const TELL_EVERY_MS = 4;

/** Rows added to the sums before they are folded. */
const FOLD_AFTER = 2_000;

export class Writer {
  readonly #server: Server;
  readonly #place: Place;
  readonly #announcement: string;
  readonly #main: Committer;
  readonly #beside: Committer;
  #waiting: Operation[] = [];
  /** Claims. They want to see what the others of their commit have written. */
  #waitingLast: Operation[] = [];
  #lazyTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | null = null;
  #runningBeside: Promise<void> | null = null;
  /** Whether a commit of the main connection is under way that those who wait now come too late for. */
  #isCommitting = false;
  #untold = false;
  #lastToldMs = -Infinity;
  #added = 0;

  /** Called after a commit that made jobs due in passing. */
  onWake: () => void = () => {};
  /** Called after a commit that left something to another one. */
  onUnfinished: () => void = () => {};
  /** Called after a commit that has written to the journal. */
  onTold: () => void = () => {};

  constructor(
    session: Session,
    { server, place, name, announcement }: {
      server: Server;
      place: Place;
      /** Which nobody else has. */
      name: string;
      /** A statement that tells other processes to look. */
      announcement: string;
    },
  ) {
    this.#server = server;
    this.#place = place;
    this.#announcement = announcement;
    this.#main = new Committer(session, { server, place, name });
    this.#beside = new Committer(null, { server, place, name: `${name}-claims` });
  }

  /**
   * Runs the work in the next commit; resolves when that is durable. The work may run several times,
   * so it must not change anything but the database.
   */
  write<T>(
    work: (transaction: Transaction) => Promise<T>,
    { isLast = false, isLazy = false, isQuiet = false, beside }: PostgresOrder = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const told = { resolve: resolve as (value: unknown) => void, reject };
      const operation = { work, ...told, isQuiet, beside };
      (isLast ? this.#waitingLast : this.#waiting).push(operation);
      if (isLazy) this.#lazyTimer ??= setTimeout(this.#lazyTurn, LAZY_MS);
      else this.#start();
    });
  }

  /** Commits all that waits, and closes the connections. */
  async close(): Promise<void> {
    clearTimeout(this.#lazyTimer);
    while (this.#isAnyWaiting || this.#running !== null || this.#runningBeside !== null) {
      this.#start();
      await this.#runningBeside;
      await this.#running;
    }
    await this.#tellLate();
    await this.#main.close();
    await this.#beside.close();
  }

  readonly #lazyTurn = () => {
    this.#lazyTimer = undefined;
    if (this.#isAnyWaiting) this.#start();
  };

  get #isAnyWaiting(): boolean {
    return this.#waiting.length + this.#waitingLast.length > 0;
  }

  /** Whether something is done beside the commits that go one after the other. */
  get isAnyBeside(): boolean {
    return this.#runningBeside !== null;
  }

  get #isAnyForBeside(): boolean {
    const isNow = (beside: Operation["beside"]) =>
      beside === "always" || beside === "meanwhile" && this.#isCommitting;
    return this.#waitingLast.length > 0 && this.#waitingLast.every(({ beside }) => isNow(beside));
  }

  #start(): void {
    const goOn = () => {
      if (this.#isAnyWaiting && this.#lazyTimer === undefined) this.#start();
    };
    if (this.#isAnyForBeside) {
      this.#runningBeside ??= this.#runBeside().finally(() => {
        this.#runningBeside = null;
        goOn();
      });
    }
    if (this.#running !== null) return;
    if (this.#waiting.length === 0 && this.#runningBeside !== null) return; // claims go on there
    this.#running = this.#run().finally(() => {
      this.#running = null;
      goOn();
    });
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what this turn brings goes together
    while (this.#waiting.length > 0 || this.#runningBeside === null && this.#isAnyWaiting) {
      const first = this.#waiting.splice(0, MAX_BATCH);
      const isWhole = this.#waiting.length === 0 && this.#runningBeside === null;
      const last = isWhole ? this.#waitingLast.splice(0) : [];
      this.#isCommitting = true;
      await this.#commitAll(this.#main, first, last);
    }
    await this.#tellLate();
    if (this.#added >= FOLD_AFTER || this.#main.hasManyMarks) await this.#fold();
  }

  async #runBeside(): Promise<void> {
    await this.#commitAll(this.#beside, [], this.#waitingLast.splice(0));
  }

  async #commitAll(
    committer: Committer,
    first: readonly Operation[],
    last: readonly Operation[],
  ): Promise<void> {
    const batch = [...first, ...last];
    let isTold = false;
    try {
      const { results, transaction } = await committer.commit(
        first.map(workOf),
        last.map(workOf),
        (transaction) => {
          if (batch.some(({ isQuiet }) => !isQuiet) || transaction.hasCounted) this.#untold = true;
          isTold = this.#mayTell();
          return isTold ? this.#announcement : null;
        },
      );
      if (isTold) this.#untold = false;
      if (committer === this.#main) this.#isCommitting = false;
      this.#follow(transaction);
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
    } catch (error) {
      if (committer === this.#main) this.#isCommitting = false;
      const told = this.#server.told(error);
      const isStoreFailure = told instanceof StoreUnavailableError && told !== error;
      const isHopeless = !committer.hasSession || isStoreFailure && !isConflict(error);
      if (batch.length === 1 || isHopeless) {
        for (const { reject } of batch) reject(told);
        return;
      }
      // When one operation of many is at fault, the others must not pay for it.
      for (const operation of batch) await this.#commitAll(committer, [operation], []);
    }
  }

  /** What a commit means to others in this process. */
  #follow(transaction: OpenTransaction): void {
    this.#added += transaction.rowsAdded;
    if (transaction.isWakeWanted) this.onWake();
    if (transaction.isUnfinished) this.onUnfinished();
    if (transaction.journal.hasTold) this.onTold();
  }

  /** Whether other processes are to be told that they may want to look: now and then, or at the end. */
  #mayTell(): boolean {
    const nowMs = performance.now();
    if (!this.#untold || this.#isAnyWaiting && nowMs - this.#lastToldMs < TELL_EVERY_MS) {
      return false;
    }
    this.#lastToldMs = nowMs;
    return true;
  }

  /** Others look by themselves now and then; the next write finds out what is wrong. */
  async #tellLate(): Promise<void> {
    if (!this.#untold) return;
    this.#untold = false;
    await this.#main.say(this.#announcement);
  }

  async #fold(): Promise<void> {
    this.#added = 0;
    // Of the one beside only when it has nothing under way: what it may yet ask for must stay.
    const committers = this.#runningBeside === null ? [this.#main, this.#beside] : [this.#main];
    const tidying = committers.map((committer) => committer.tidying());
    const nowMs = this.#server.clock.now();
    try {
      await this.#main.commit([async (transaction) => {
        for (const tidy of tidying) await tidy(transaction);
        await fold(transaction, this.#place, nowMs);
      }]);
    } catch { /* the next one does more */ }
  }
}

function workOf({ work }: Operation): Operation["work"] {
  return work;
}
