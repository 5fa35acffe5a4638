/**
 * A transaction: statements, and what its operations report on the way. Counts are gathered while it
 * runs and written once before it commits. Rows of counts are added, never changed, so that
 * transactions of many processes do not wait for each other.
 */
import { RUNNABLE_STATES } from "../../job/state.ts";
import { RUNNABLE } from "../guard.ts";
import { BUCKET_MS, type CountedState, type Tally } from "../shared/counted.ts";
import { type Row, type Session, type Sql, type SqlValue } from "./connection.ts";
import { TryAgain } from "./errors.ts";
import type { Journal } from "./journal.ts";
import { LOCKS, type Place } from "./migrate.ts";

/** Steps of one transaction: some ten milliseconds, so that others get their turn. */
const STEPS = 1_000;

/** What the operations of a transaction work with. */
export interface Transaction extends Sql {
  /** A statement whose result nobody looks at: it goes with the next one, or with the commit. */
  send(text: string, ...values: SqlValue[]): void;
  /** Jobs of the queue that came into the state, or (negative) left it. */
  count(queue: string, state: CountedState, delta: number): void;
  /** Adds to what has happened in these ten seconds. */
  tally(what: Tally, jobs: number, nowMs: number): void;
  /** Jobs of all queues that wait for a worker, what this transaction did included. */
  waiting(): Promise<number>;
  /** Jobs of the queue that are under a lease now, what this transaction did included. */
  leased(queue: string): Promise<number>;
  /** Jobs became due in passing: whoever claims is told after the commit. */
  wake(): void;
  /** As in the transactions of SQLite. */
  takeStep(): boolean;
  continueLater(): void;
  readonly journal: Journal;
  /**
   * Whether to send, and not to wait for, what fails by a division by zero in the rare case: then the
   * transaction begins anew, and this is false. Nobody follows, as far as is known.
   */
  readonly mayAssume: boolean;
  /** A statement adds so many rows to the sums by itself. */
  added(rows: number): void;
  /** Rows that are written together: before anything of this commit may want to read them. */
  defer(rows: DeferredRows): void;
  /**
   * From here on no other transaction that asks for this goes on before the end of this one: for what
   * ties jobs to each other, and for what is looked at before it is written. May start the transaction
   * anew, so it belongs at the beginning of an operation.
   */
  exclusively(): Promise<void>;
}

/** Rows that several operations of a commit have gathered. */
export interface DeferredRows {
  /** Gives all of them to the next statement before it returns, unless they are many. */
  write(transaction: Transaction): Promise<void>;
  forget(): void;
}

const WAITING: ReadonlySet<CountedState> = new Set(RUNNABLE_STATES);

export class OpenTransaction implements Transaction {
  readonly #session: Session;
  readonly #place: Place;
  readonly #deltas = new Map<string, Map<CountedState, number>>();
  readonly #tallies = new Map<number, Map<Tally, number>>();
  readonly #deferred = new Set<DeferredRows>();
  #waiting: number | null = null;
  #stepsLeft = STEPS;
  #isExclusive: boolean;
  isWakeWanted = false;
  isUnfinished = false;
  readonly mayAssume: boolean;
  /** Why a statement failed that nobody waited for; what comes after it is told of an aborted transaction. */
  failure: unknown;
  /** Rows that were added to the sums. */
  rowsAdded = 0;

  constructor(
    session: Session,
    readonly journal: Journal,
    { place, isExclusive, mayAssume }: {
      place: Place;
      isExclusive: boolean;
      mayAssume: boolean;
    },
  ) {
    this.#session = session;
    this.#place = place;
    this.#isExclusive = isExclusive;
    this.mayAssume = mayAssume;
  }

  all(text: string, ...values: SqlValue[]): Promise<Row[]> {
    return this.#session.all(text, ...values);
  }

  get(text: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return this.#session.get(text, ...values);
  }

  run(text: string, ...values: SqlValue[]): Promise<number> {
    return this.#session.run(text, ...values);
  }

  send(text: string, ...values: SqlValue[]): void {
    this.#session.ahead(text, ...values).catch((error) => this.failure ??= error);
  }

  /** Whether jobs have changed. */
  get hasCounted(): boolean {
    return this.#deltas.size > 0;
  }

  async exclusively(): Promise<void> {
    if (this.#isExclusive) return;
    // Not waiting for it: this transaction may hold what its owner waits for.
    const { lockSpace } = this.#place;
    const row = await this.get(
      "SELECT pg_try_advisory_xact_lock($1::int, $2::int) AS is_mine",
      lockSpace,
      LOCKS.exclusive,
    );
    if (row!["is_mine"] !== true) throw new NeedsExclusive();
    this.#isExclusive = true;
  }

  count(queue: string, state: CountedState, delta: number): void {
    addTo(this.#deltas, queue, state, delta);
    if (this.#waiting !== null && WAITING.has(state)) this.#waiting += delta;
  }

  async waiting(): Promise<number> {
    if (this.#waiting !== null) return this.#waiting;
    const row = await this.get(
      `SELECT coalesce(sum(jobs), 0) AS jobs FROM counts WHERE ${RUNNABLE}`,
    );
    let sum = row!["jobs"] as number;
    for (const states of this.#deltas.values()) {
      for (const [state, delta] of states) if (WAITING.has(state)) sum += delta;
    }
    return this.#waiting = sum;
  }

  async leased(queue: string): Promise<number> {
    const row = await this.get(
      "SELECT coalesce(sum(jobs), 0) AS jobs FROM counts WHERE queue = $1 AND state = 'leased'",
      queue,
    );
    return (row!["jobs"] as number) + (this.#deltas.get(queue)?.get("leased") ?? 0);
  }

  tally(what: Tally, jobs: number, nowMs: number): void {
    addTo(this.#tallies, Math.floor(nowMs / BUCKET_MS), what, jobs);
  }

  added(rows: number): void {
    this.rowsAdded += rows;
  }

  wake(): void {
    this.isWakeWanted = true;
  }

  takeStep(): boolean {
    if (this.#stepsLeft === 0) this.isUnfinished = true;
    else this.#stepsLeft--;
    return !this.isUnfinished;
  }

  continueLater(): void {
    this.isUnfinished = true;
  }

  defer(rows: DeferredRows): void {
    this.#deferred.add(rows);
  }

  /** @throws {unknown} at once, and not later, when what is to be written cannot be sent. */
  writeDeferred(): Promise<unknown> {
    const deferred = [...this.#deferred];
    this.#deferred.clear();
    return Promise.all(deferred.map((rows) => rows.write(this)));
  }

  /**
   * Writes what was gathered, and commits.
   *
   * @param isCalm whether nobody follows, as far as is known: `commit` checks that, and goes along.
   */
  async end(commit: () => Promise<unknown>, isCalm: () => boolean): Promise<void> {
    this.#writeCounts();
    this.#writeTallies();
    await this.writeDeferred();
    // Last, because those who follow wait for each other from here to the commit.
    if (!isCalm()) await this.journal.write(this);
    await commit();
  }

  #writeCounts(): void {
    const counts = rowsOf(this.#deltas);
    this.added(counts.length);
    if (counts.length === 0) return;
    this.send(
      "INSERT INTO counts (queue, state, jobs) " +
        "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])",
      counts.map(([queue]) => queue),
      counts.map(([, state]) => state),
      counts.map(([, , jobs]) => jobs),
    );
  }

  #writeTallies(): void {
    const tallies = rowsOf(this.#tallies);
    this.added(tallies.length);
    if (tallies.length === 0) return;
    this.send(
      "INSERT INTO throughput (bucket, what, jobs) " +
        "SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])",
      tallies.map(([bucket]) => bucket),
      tallies.map(([, what]) => what),
      tallies.map(([, , jobs]) => jobs),
    );
  }

  /** The transaction is rolled back. */
  forget(): void {
    for (const rows of this.#deferred) rows.forget();
  }
}

/** The transaction is to begin anew with the lock, for which it then may wait. */
export class NeedsExclusive extends TryAgain {}

function addTo<K, L>(map: Map<K, Map<L, number>>, key: K, inner: L, delta: number): void {
  let values = map.get(key);
  if (values === undefined) map.set(key, values = new Map());
  values.set(inner, (values.get(inner) ?? 0) + delta);
}

function rowsOf<K, L>(map: Map<K, Map<L, number>>): [K, L, number][] {
  return [...map].flatMap(([key, values]) =>
    [...values].filter(([, value]) => value !== 0)
      .map(([inner, value]): [K, L, number] => [key, inner, value])
  );
}
