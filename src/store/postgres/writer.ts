/**
 * Group commit. Everything that wants to write while the commit before is under way shares one
 * transaction: what a durable write costs is the way to the server and its fsync. Owns the connection
 * that writes, BEGIN, COMMIT and ROLLBACK, and trying again; knows no job.
 *
 * Invariant: an operation's promise resolves only after the commit that holds it, and rejects only
 * if nothing of it was written, or says that this is not known. What became of a transaction whose
 * connection was lost while it was committed is found out by its mark (`commit_mark.ts`).
 */
import { setImmediate } from "node:timers";
import { StoreUnavailableError } from "../../job/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { pause } from "../../lib/pause.ts";
import type { WriteOrder } from "../shared/operations.ts";
import { refuseMarked } from "../shared/transfer_mark.ts";
import { CommitMarks } from "./commit_mark.ts";
import type { Session } from "./connection.ts";
import { isConflict, isLost } from "./errors.ts";
import { fold } from "./fold.ts";
import { Journal } from "./journal.ts";
import { MARKED, readMark } from "./transfer_mark.ts";
import { LOCKS, type Place } from "./migrate.ts";
import type { Server } from "./server.ts";
import { NeedsExclusive, OpenTransaction, type Transaction } from "./transaction.ts";

interface Operation {
  readonly work: (transaction: Transaction) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly isQuiet: boolean;
}

export interface PostgresOrder extends WriteOrder {
  /** Others need not look because of it. */
  readonly isQuiet?: boolean;
}

/** At most so many operations share a commit, so that one turn stays short. */
const MAX_BATCH = 1_000;

/** How long a write that promises nothing waits for another one to share its commit. */
const LAZY_MS = 20;

/** How often a transaction begins anew because others were in the way. */
const MOST_CONFLICTS = 12;

/** And for how long: who waits for an answer is to be told. */
const CONFLICTS_MS = 15_000;

/** How often it begins anew because the connection was lost. */
const MOST_LOSSES = 2;

/** How long the server is asked what became of a transaction. */
const VERDICT_MS = 15_000;

/** Others are told no more often than this. */
const TELL_EVERY_MS = 4;

/** Rows added to the sums before they are folded. */
const FOLD_AFTER = 2_000;

export class Writer {
  readonly #server: Server;
  readonly #marks: CommitMarks;
  readonly #place: Place;
  readonly #clock: Clock;
  readonly #announcement: string;
  /** What begins and ends every transaction, prepared: to plan it anew would take longer than to do it. */
  readonly #frame: string;
  #session: Session | null;
  /** Which of them knows the frame. */
  #prepared: Session | null = null;
  #waiting: Operation[] = [];
  /** Operations that want to see what the others of their commit have written. */
  #waitingLast: Operation[] = [];
  #lazyTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | null = null;
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
    this.#session = session;
    this.#server = server;
    this.#marks = new CommitMarks(name);
    this.#place = place;
    this.#clock = server.clock.now;
    this.#frame = [
      "PREPARE queuectl_follow AS " +
      `SELECT pg_advisory_xact_lock_shared(${place.lockSpace}, ${LOCKS.follow})`,
      "PREPARE queuectl_begin AS " +
      "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms, " +
      "(SELECT value FROM meta WHERE key = 'events_until') AS until, " +
      `(${MARKED}) AS is_marked`,
      this.#marks.preparation,
    ].join("; ");
    this.#announcement = announcement;
  }

  /**
   * Runs the work in the next commit; resolves when that is durable. The work may run several times,
   * so it must not change anything but the database.
   */
  write<T>(
    work: (transaction: Transaction) => Promise<T>,
    { isLast = false, isLazy = false, isQuiet = false }: PostgresOrder = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const operation = { work, resolve: resolve as (value: unknown) => void, reject, isQuiet };
      (isLast ? this.#waitingLast : this.#waiting).push(operation);
      if (isLazy) this.#lazyTimer ??= setTimeout(this.#lazyTurn, LAZY_MS);
      else this.#start();
    });
  }

  /** Commits all that waits, and closes the connection. */
  async close(): Promise<void> {
    clearTimeout(this.#lazyTimer);
    while (this.#isAnyWaiting || this.#running !== null) {
      this.#start();
      await this.#running;
    }
    await this.#tell(true);
    await this.#session?.close();
    this.#session = null;
  }

  readonly #lazyTurn = () => {
    this.#lazyTimer = undefined;
    if (this.#isAnyWaiting) this.#start();
  };

  get #isAnyWaiting(): boolean {
    return this.#waiting.length + this.#waitingLast.length > 0;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#isAnyWaiting && this.#lazyTimer === undefined) this.#start();
    });
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what this turn brings goes together
    while (this.#isAnyWaiting) {
      const first = this.#waiting.splice(0, MAX_BATCH);
      const last = this.#waiting.length === 0 ? this.#waitingLast.splice(0) : [];
      await this.#commitAll(first, last);
      await this.#tell(!this.#isAnyWaiting);
    }
    if (this.#added >= FOLD_AFTER || this.#marks.areMany) await this.#fold();
  }

  async #commitAll(first: readonly Operation[], last: readonly Operation[]): Promise<void> {
    const batch = [...first, ...last];
    try {
      const results = await this.#commit(first, last);
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
    } catch (error) {
      const told = this.#server.told(error);
      const isStoreFailure = told instanceof StoreUnavailableError && told !== error;
      const isHopeless = this.#session === null || isStoreFailure && !isConflict(error);
      if (batch.length === 1 || isHopeless) {
        for (const { reject } of batch) reject(told);
        return;
      }
      // When one operation of many is at fault, the others must not pay for it.
      for (const operation of batch) await this.#commitAll([operation], []);
    }
  }

  /** One transaction, tried until it is committed or cannot be. */
  async #commit(first: readonly Operation[], last: readonly Operation[]): Promise<unknown[]> {
    let isExclusive = false;
    let losses = 0;
    const sinceMs = performance.now();
    const isLate = () => performance.now() - sinceMs > CONFLICTS_MS;
    for (let conflicts = 0;;) {
      try {
        return await this.#attempt(first, last, isExclusive);
      } catch (error) {
        if (isConflict(error) && conflicts < MOST_CONFLICTS && !isLate()) {
          isExclusive ||= error instanceof NeedsExclusive;
          // Those who met must not meet again: the one waits a little longer than the other.
          if (conflicts++ > 0) await pause(Math.random() * 2 ** Math.min(conflicts, 6));
        } else if (isLost(error)) {
          this.#lose();
          if (losses++ >= MOST_LOSSES) throw error;
        } else throw error;
      }
    }
  }

  async #attempt(
    first: readonly Operation[],
    last: readonly Operation[],
    isExclusive: boolean,
  ): Promise<unknown[]> {
    const session = await this.#openSession();
    const { lockSpace } = this.#place;
    const lock = isExclusive
      ? `SELECT pg_advisory_xact_lock(${lockSpace}, ${LOCKS.exclusive}); `
      : "";
    let transaction: OpenTransaction | undefined;
    const results: unknown[] = [];
    try {
      const askedMs = this.#server.clock.ask();
      const begun = await session.script(
        `BEGIN; ${lock}EXECUTE queuectl_follow; EXECUTE queuectl_begin`,
      );
      const row = begun.at(-1)![0]!;
      this.#server.clock.heard(row["now_ms"] as number, askedMs);
      if (row["is_marked"] === true) refuseMarked(await readMark(session), this.#server.shown);
      const journal = new Journal({ nowMs: this.#clock(), untilMs: row["until"] as number });
      transaction = new OpenTransaction(session, journal, { place: this.#place, isExclusive });
      for (const { work } of first) results.push(await work(transaction));
      if (last.length > 0) await transaction.writeDeferred();
      for (const { work } of last) results.push(await work(transaction));
      if ([...first, ...last].some(({ isQuiet }) => !isQuiet) || transaction.hasCounted) {
        this.#untold = true;
      }
      await transaction.write();
    } catch (error) {
      transaction?.forget();
      if (!isLost(error)) await session.script("ROLLBACK").catch(() => session.cut());
      throw error;
    }
    await this.#end(session);
    this.#added += transaction.added;
    if (transaction.isWakeWanted) this.onWake();
    if (transaction.isUnfinished) this.onUnfinished();
    if (transaction.journal.hasTold) this.onTold();
    return results;
  }

  async #openSession(): Promise<Session> {
    if (this.#session !== null && this.#server.hasLeft(this.#session)) this.#lose();
    const session = this.#session ??= await this.#server.open();
    if (this.#prepared !== session) {
      await session.script(this.#frame);
      this.#prepared = session;
    }
    return session;
  }

  #lose(): void {
    if (this.#session !== null) this.#server.hasLost(this.#session);
    this.#session = null;
  }

  async #end(session: Session): Promise<void> {
    const mark = this.#marks.next(this.#clock());
    try {
      await session.script(`${mark.text}; COMMIT`);
    } catch (error) {
      if (!isLost(error)) {
        session.cut();
        throw error;
      }
      this.#lose();
      if (!await this.#wasCommitted(mark.number)) throw error;
    }
  }

  /** What became of a transaction whose connection was lost while it was to be committed. */
  async #wasCommitted(mark: number): Promise<boolean> {
    const deadlineMs = performance.now() + VERDICT_MS;
    let lastError: unknown;
    while (performance.now() < deadlineMs) {
      try {
        return await this.#marks.isThere(mark, await this.#openSession(), this.#clock());
      } catch (error) {
        lastError = error;
        this.#lose();
      }
      await pause(100);
    }
    throw new StoreUnavailableError(
      `the connection to the database ${this.#server.shown} was lost while a change was committed, and ` +
        "it cannot be said whether it was; look before you repeat it",
      { cause: lastError },
    );
  }

  /** Tells other processes that they may want to look; now and then, or when nothing else is to do. */
  async #tell(isIdle: boolean): Promise<void> {
    if (!this.#untold || this.#session === null) return;
    const nowMs = performance.now();
    if (!isIdle && nowMs - this.#lastToldMs < TELL_EVERY_MS) return;
    this.#untold = false;
    this.#lastToldMs = nowMs;
    try {
      await this.#session.script(this.#announcement);
    } catch { /* others look by themselves now and then; the next write finds out what is wrong */ }
  }

  async #fold(): Promise<void> {
    this.#added = 0;
    const tidy = this.#marks.tidy();
    const nowMs = this.#clock();
    try {
      await this.#attempt(
        [{
          work: async (transaction) => {
            await tidy(transaction);
            await fold(transaction, this.#place, nowMs);
          },
          resolve: () => {},
          reject: () => {},
          isQuiet: true,
        }],
        [],
        false,
      );
    } catch { /* the next one does more */ }
  }
}
