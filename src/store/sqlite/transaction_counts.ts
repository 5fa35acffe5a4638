/**
 * The kept numbers: jobs by queue and state, and what happened in each ten seconds. Gathered while
 * a transaction runs and written once before it commits, so that a commit of a thousand jobs
 * changes a handful of rows.
 */
import { BUCKET_MS, type CountedState, type Tally } from "../shared/counted.ts";
import { RUNNABLE_STATES } from "../../job/state.ts";
import { RUNNABLE } from "../guard.ts";
import type { Connection, Statement } from "./connection.ts";
import type { Journal } from "./journal.ts";

/** Buckets older than this are dropped. */
const KEEP_BUCKETS_MS = 24 * 3_600_000;

/** Steps of one transaction: some ten milliseconds, so that others get their turn. */
const STEPS = 1_000;

/** What the operations of a transaction report. */
export interface Transaction {
  /** Jobs of the queue that came into the state, or (negative) left it. */
  count(queue: string, state: CountedState, delta: number): void;
  /** Adds to what has happened in these ten seconds. */
  tally(what: Tally, jobs: number, nowMs: number): void;
  /** Jobs of all queues that wait for a worker, what this transaction did included. */
  waiting(): number;
  /** Jobs of the queue that are under a lease now, what this transaction did included. */
  leased(queue: string): number;
  /** Jobs became due in passing: whoever claims is told after the commit. */
  wake(): void;
  /**
   * Whether there is room for one more of the steps that the end of a job brings about. False: this
   * transaction has done enough of them, and another one will go on.
   */
  takeStep(): boolean;
  /** Another transaction is to go on with such steps soon after this one. */
  continueLater(): void;
  /** What happens, for those who follow along. */
  readonly journal: Journal;
  /** Rows that are written together: before anything of this commit may want to read them. */
  defer(rows: DeferredRows): void;
}

/** Rows that several operations of a commit have gathered. */
export interface DeferredRows {
  write(): void;
  /** The transaction was rolled back. */
  forget(): void;
}

/** The states of jobs that wait for a worker. */
const WAITING: ReadonlySet<CountedState> = new Set(RUNNABLE_STATES);

export class TransactionCounts implements Transaction {
  readonly #addCount: Statement;
  readonly #addTally: Statement;
  readonly #dropTallies: Statement;
  readonly #sumWaiting: Statement;
  readonly #countLeased: Statement;
  readonly #deltas = new Map<string, Map<CountedState, number>>();
  readonly #tallies = new Map<number, Map<Tally, number>>();
  readonly #deferred = new Set<DeferredRows>();
  #newestBucket = 0;
  #isWakeWanted = false;
  #isUnfinished = false;
  #stepsLeft = STEPS;
  /** What {@link waiting} returns, once this transaction has asked; it is asked for every add. */
  #waiting: number | null = null;

  constructor(connection: Connection, readonly journal: Journal) {
    this.#addCount = connection.prepare(
      "INSERT INTO counts (queue, state, jobs) VALUES (?, ?, ?) " +
        "ON CONFLICT (queue, state) DO UPDATE SET jobs = jobs + excluded.jobs",
    );
    this.#addTally = connection.prepare(
      "INSERT INTO throughput (bucket, what, jobs) VALUES (?, ?, ?) " +
        "ON CONFLICT (bucket, what) DO UPDATE SET jobs = jobs + excluded.jobs",
    );
    // A row for each queue and state: few, and read once in a transaction.
    this.#sumWaiting = connection.prepare(
      `SELECT coalesce(sum(jobs), 0) AS jobs FROM counts WHERE ${RUNNABLE}`,
    );
    this.#countLeased = connection.prepare(
      "SELECT jobs FROM counts WHERE queue = ? AND state = 'leased'",
    );
    this.#dropTallies = connection.prepare("DELETE FROM throughput WHERE bucket < ?");
  }

  count(queue: string, state: CountedState, delta: number): void {
    addTo(this.#deltas, queue, state, delta);
    if (this.#waiting !== null && WAITING.has(state)) this.#waiting += delta;
  }

  waiting(): number {
    if (this.#waiting !== null) return this.#waiting;
    let sum = this.#sumWaiting.get()!["jobs"] as number;
    for (const states of this.#deltas.values()) {
      for (const [state, delta] of states) if (WAITING.has(state)) sum += delta;
    }
    return this.#waiting = sum;
  }

  leased(queue: string): number {
    const before = this.#countLeased.get(queue)?.["jobs"] as number | undefined;
    return (before ?? 0) + (this.#deltas.get(queue)?.get("leased") ?? 0);
  }

  tally(what: Tally, jobs: number, nowMs: number): void {
    addTo(this.#tallies, Math.floor(nowMs / BUCKET_MS), what, jobs);
  }

  wake(): void {
    this.#isWakeWanted = true;
  }

  /** Whether the transaction that has just been committed wants to wake somebody. */
  takeWake(): boolean {
    const isWanted = this.#isWakeWanted;
    this.#isWakeWanted = false;
    return isWanted;
  }

  takeStep(): boolean {
    if (this.#stepsLeft === 0) this.#isUnfinished = true;
    else this.#stepsLeft--;
    return !this.#isUnfinished;
  }

  continueLater(): void {
    this.#isUnfinished = true;
  }

  /** Whether the transaction that has just been committed left something to the next one. */
  takeUnfinished(): boolean {
    const isUnfinished = this.#isUnfinished;
    this.#isUnfinished = false;
    return isUnfinished;
  }

  defer(rows: DeferredRows): void {
    this.#deferred.add(rows);
  }

  /** Writes the rows that were deferred. */
  writeDeferred(): void {
    for (const rows of this.#deferred) rows.write();
    this.#deferred.clear();
  }

  /** Writes what was gathered, and starts anew. */
  write(): void {
    this.writeDeferred();
    this.journal.write();
    for (const [queue, states] of this.#deltas) {
      for (const [state, delta] of states) {
        if (delta !== 0) this.#addCount.run(queue, state, delta);
      }
    }
    for (const [bucket, tallies] of this.#tallies) {
      for (const [what, jobs] of tallies) this.#addTally.run(bucket, what, jobs);
      if (bucket > this.#newestBucket) {
        this.#newestBucket = bucket;
        this.#dropTallies.run(bucket - KEEP_BUCKETS_MS / BUCKET_MS);
      }
    }
    this.forget();
  }

  /** Drops what was gathered: the transaction was rolled back. */
  forget(): void {
    for (const rows of this.#deferred) rows.forget();
    this.#deferred.clear();
    this.journal.forget();
    this.#waiting = null;
    this.#stepsLeft = STEPS;
    this.#deltas.clear();
    this.#tallies.clear();
  }
}

function addTo<K, L>(map: Map<K, Map<L, number>>, key: K, inner: L, delta: number): void {
  let values = map.get(key);
  if (values === undefined) map.set(key, values = new Map());
  values.set(inner, (values.get(inner) ?? 0) + delta);
}
