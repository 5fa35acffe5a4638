/**
 * Group commit. Everything that wants to write in the same turn of the event loop shares one
 * transaction and one fsync: that, not the insert, is what a durable write costs. Owns BEGIN,
 * COMMIT and ROLLBACK; knows no job.
 *
 * Invariant: an operation's promise resolves only after the commit that holds it, and rejects only
 * if nothing of it was written.
 */
import type { WriteOrder } from "../shared/operations.ts";
import { setImmediate } from "node:timers";
import { StoreUnavailableError } from "../../job/errors.ts";
import { asStoreError, type Connection, isBusy, resultCode, type Statement } from "./connection.ts";
import type { FileGuard } from "./file_guard.ts";
import type { Journal } from "./journal.ts";
import { type Transaction, TransactionCounts } from "./transaction_counts.ts";

interface Operation {
  readonly work: (transaction: Transaction) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** At most so many operations share a commit, so that one turn stays short. */
const MAX_BATCH = 2_000;

/** How long a write that promises nothing waits for another one to share its commit. */
const LAZY_MS = 20;

/**
 * After so many milliseconds of commits in a row there is a pause, in which requests are heard: one
 * immediate after the other lets none in (Deno 2.9 looks for I/O once in many of them).
 */
const MOST_IN_A_ROW_MS = 20;

/** What follows a commit within so many milliseconds is of the same row. */
const IN_A_ROW_MS = 1;

/** How long writes wait for another program's lock before they give up. */
const LOCK_PATIENCE_MS = 10_000;
const LOCK_PAUSE_MS = 3;

export class Writer {
  readonly #path: string;
  readonly #file: FileGuard;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #counts: TransactionCounts;
  #waiting: Operation[] = [];
  /** Operations that want to see what the others of their commit have written. */
  #waitingLast: Operation[] = [];
  #isScheduled = false;
  #lazyTimer: ReturnType<typeof setTimeout> | undefined;
  #lockedSinceMs: number | null = null;
  #rowBeganMs = 0;
  #lastTurnMs = 0;

  /** Called before a transaction begins. */
  onTurn: () => void = () => {};
  /** Called after each commit. */
  onCommit: () => void = () => {};
  /** Called after a commit that made jobs due in passing. */
  onWake: () => void = () => {};
  /** Called after a commit that left something to another one. */
  onUnfinished: () => void = () => {};
  /** Called after a commit that has written to the journal. */
  onTold: () => void = () => {};

  constructor(
    connection: Connection,
    path: string,
    { file, journal }: { file: FileGuard; journal: Journal },
  ) {
    this.#path = path;
    this.#file = file;
    this.#begin = connection.prepare("BEGIN IMMEDIATE");
    this.#commit = connection.prepare("COMMIT");
    this.#rollback = connection.prepare("ROLLBACK");
    this.#counts = new TransactionCounts(connection, journal);
  }

  /**
   * Runs the work in the next commit; resolves when that is durable. The work must be synchronous
   * and may run twice, so it must not change anything but the database.
   */
  write<T>(
    work: (transaction: Transaction) => T,
    { isLast = false, isLazy = false }: WriteOrder = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const operation = { work, resolve: resolve as (value: unknown) => void, reject };
      (isLast ? this.#waitingLast : this.#waiting).push(operation);
      if (isLazy) this.#lazyTimer ??= setTimeout(this.#lazyTurn, LAZY_MS);
      else this.#schedule();
    });
  }

  readonly #lazyTurn = () => {
    this.#lazyTimer = undefined;
    if (this.#isAnyWaiting) this.#schedule();
  };

  /** Commits all that waits, now; what cannot be committed is rejected. For closing. */
  flush(): void {
    clearTimeout(this.#lazyTimer);
    while (this.#isAnyWaiting) {
      if (!this.#turn()) this.#rejectAll(this.#lockedError());
    }
  }

  get #isAnyWaiting(): boolean {
    return this.#waiting.length + this.#waitingLast.length > 0;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const nowMs = performance.now();
    if (nowMs - this.#lastTurnMs > IN_A_ROW_MS) this.#rowBeganMs = nowMs;
    if (nowMs - this.#rowBeganMs <= MOST_IN_A_ROW_MS) {
      setImmediate(this.#scheduledTurn);
    } else {
      this.#rowBeganMs = nowMs;
      // Commits come with immediates, before which the reads of a turn end.
      setTimeout(() => setImmediate(this.#scheduledTurn), 0);
    }
  }

  readonly #scheduledTurn = () => {
    this.#isScheduled = false;
    if (!this.#isAnyWaiting) return;
    const isDone = this.#turn();
    this.#lastTurnMs = performance.now();
    if (isDone) {
      if (this.#isAnyWaiting) this.#schedule();
      return;
    }
    // Locked by another program. Timers instead of SQLite's own sleep, so that reads go on.
    this.#lockedSinceMs ??= performance.now();
    if (performance.now() - this.#lockedSinceMs > LOCK_PATIENCE_MS) {
      this.#lockedSinceMs = null;
      this.#rejectAll(this.#lockedError());
      return;
    }
    this.#isScheduled = true;
    setTimeout(this.#scheduledTurn, LOCK_PAUSE_MS);
  };

  /** One commit. False: the database is locked, and everything waits on. */
  #turn(): boolean {
    const lost = this.#file.problem();
    if (lost !== null) {
      this.#rejectAll(lost);
      return true;
    }
    this.onTurn();
    try {
      this.#begin.run();
    } catch (error) {
      if (isBusy(error)) return false;
      this.#file.note(error);
      this.#rejectAll(asStoreError(error, this.#path));
      return true;
    }
    this.#lockedSinceMs = null;
    const first = this.#waiting.splice(0, MAX_BATCH);
    const last = this.#waiting.length === 0 ? this.#waitingLast.splice(0) : [];
    const batch = [...first, ...last];
    const results: unknown[] = [];
    try {
      for (const { work } of first) results.push(work(this.#counts));
      if (last.length > 0) this.#counts.writeDeferred();
      for (const { work } of last) results.push(work(this.#counts));
      this.#counts.write();
      this.#commit.run();
    } catch (error) {
      this.#undo();
      this.#file.note(error);
      this.#settleFailedBatch(batch, error);
      return true;
    }
    this.onCommit();
    for (let index = 0; index < batch.length; index++) batch[index]!.resolve(results[index]);
    this.#tellOthers();
    return true;
  }

  /** When one operation of many is at fault, the others must not pay for it. */
  #settleFailedBatch(batch: readonly Operation[], error: unknown): void {
    const isStoreFailure = resultCode(error) !== null &&
      asStoreError(error, this.#path) !== error;
    if (batch.length === 1 || isStoreFailure) {
      for (const { reject } of batch) reject(asStoreError(error, this.#path));
      return;
    }
    for (const operation of batch) {
      try {
        this.#begin.run();
        const result = operation.work(this.#counts);
        this.#counts.write();
        this.#commit.run();
        operation.resolve(result);
        this.#tellOthers();
      } catch (ownError) {
        this.#undo();
        operation.reject(asStoreError(ownError, this.#path));
      }
    }
  }

  #tellOthers(): void {
    if (this.#counts.takeWake()) this.onWake();
    if (this.#counts.takeUnfinished()) this.onUnfinished();
    if (this.#counts.journal.takeTold()) this.onTold();
  }

  #undo(): void {
    this.#counts.forget();
    this.#counts.takeWake();
    this.#counts.takeUnfinished();
    this.#counts.journal.takeTold();
    try {
      this.#rollback.run();
    } catch { /* when the disk is full, SQLite has rolled back by itself */ }
  }

  #rejectAll(error: unknown): void {
    const operations = [...this.#waiting.splice(0), ...this.#waitingLast.splice(0)];
    for (const { reject } of operations) reject(error);
  }

  #lockedError(): StoreUnavailableError {
    return new StoreUnavailableError(
      `cannot write to the database ${this.#path}: another program has kept it locked for ` +
        `${LOCK_PATIENCE_MS / 1_000} s`,
    );
  }
}
