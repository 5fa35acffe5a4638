/**
 * The journal of what happens, as in SQLite: one row for each commit, written only while somebody
 * follows. Numbers rise by one in the order of the commits: while somebody follows, transactions that
 * have something to tell take their number, and commit, one after the other.
 *
 * Invariant: between two rows with successive ids nothing is missing, but where a row says `gap`.
 */
import type { NewJob } from "../../job/job.ts";
import {
  additionOf,
  happeningFromRow,
  KEPT_MS,
  KEPT_ROWS,
  SWEEP_EVERY,
  TOLD_COLUMNS,
} from "../shared/journal_event.ts";
import type { JobHappening, JournalEvent, JournalPage } from "../store.ts";
import type { Sql } from "./connection.ts";
import { Mistaken } from "./errors.ts";
import { LOCKS, type Place } from "./migrate.ts";

/** What a transaction knows once it has begun: its time, and until when somebody follows. */
export interface Begun {
  readonly nowMs: number;
  readonly untilMs: number;
}

/** Of one transaction. */
export class Journal {
  /** Null: the transaction is about to begin, together with the first statement that it asks for. */
  #begun: Begun | null = null;
  readonly #begin: () => Promise<Begun>;
  #events: JournalEvent[] = [];
  #isAnyLeftOut = false;
  hasTold = false;

  /** @param begin sends what begins the transaction, should it still wait. */
  constructor(begin: () => Promise<Begun>) {
    this.#begin = begin;
  }

  /** The transaction has begun. */
  began(begun: Begun): void {
    this.#begun ??= begun;
  }

  /** Whether it is known whether anybody follows. */
  get isKnown(): boolean {
    return this.#begun !== null;
  }

  /** @throws {unknown} when the transaction could not begin. */
  async known(): Promise<Begun> {
    return this.#begun ??= await this.#begin();
  }

  /** Whether anybody may want to know. */
  get mayBeFollowed(): boolean {
    return this.#begun === null || this.#begun.untilMs > this.#begun.nowMs;
  }

  /** Something has happened to jobs, whose rows say already how they are now. */
  async jobs(type: JobHappening, seqs: readonly number[], sql: Sql): Promise<void> {
    if (seqs.length === 0) return;
    await this.known();
    if (!this.mayBeFollowed) return;
    const rows = await sql.all(
      `SELECT ${TOLD_COLUMNS} ` +
        "FROM unnest($1::bigint[]) WITH ORDINALITY AS told (told_seq, place) " +
        "JOIN jobs ON jobs.seq = told_seq ORDER BY place",
      seqs,
    );
    for (const row of rows) this.#events.push(happeningFromRow(type, row));
  }

  /** Something has happened that is not written down: the transaction must fail if anybody follows. */
  leaveOut(): void {
    this.#isAnyLeftOut = true;
  }

  /** A job is added, whose row may not be there yet. */
  added(job: NewJob): void {
    if (this.mayBeFollowed) this.#events.push(additionOf(job));
  }

  /** Something else has changed. */
  changed(type: "queue.changed" | "schedule.changed", name: string): void {
    if (this.mayBeFollowed) this.#events.push({ type, name });
  }

  /** Writes what was gathered. @throws {Mistaken} when somebody follows and something was left out. */
  async write(sql: Sql): Promise<void> {
    if (this.#events.length === 0 && !this.#isAnyLeftOut) return;
    const { nowMs } = await this.known();
    if (!this.mayBeFollowed) return;
    if (this.#isAnyLeftOut) throw new Mistaken("somebody follows");
    await this.#append(this.#events, nowMs, sql);
    this.hasTold = true;
  }

  /** Somebody follows until then. Returns the id after which nothing will be missing. */
  async follow(untilMs: number, place: Place, sql: Sql): Promise<number> {
    const { nowMs, untilMs: untilNowMs } = await this.known();
    if (untilNowMs <= nowMs) {
      // Transactions that have begun do not know it yet: what they do is over before this goes on.
      await sql.get(
        "SELECT pg_advisory_xact_lock($1::int, $2::int)",
        place.lockSpace,
        LOCKS.follow,
      );
    }
    const row = await sql.get("SELECT value FROM meta WHERE key = 'events_until' FOR UPDATE");
    const hasLapsed = (row!["value"] as number) <= nowMs;
    await sql.run(
      "UPDATE meta SET value = $1 WHERE key = 'events_until' AND value <> $1",
      untilMs,
    );
    this.#begun = { nowMs, untilMs: Math.max(untilNowMs, untilMs) };
    // What happened while nobody followed is not here: those who come back must know.
    if (hasLapsed) await this.#append([{ type: "gap" }], nowMs, sql);
    const last = await sql.get("SELECT value FROM meta WHERE key = 'events_last'");
    return last!["value"] as number;
  }

  async #append(events: readonly JournalEvent[], nowMs: number, sql: Sql): Promise<void> {
    const row = await sql.get(
      "UPDATE meta SET value = value + 1 WHERE key = 'events_last' RETURNING value",
    );
    const id = row!["value"] as number;
    await sql.run(
      "INSERT INTO events (id, at, body) VALUES ($1, $2, $3)",
      id,
      nowMs,
      JSON.stringify(events),
    );
    if (id % SWEEP_EVERY !== 0) return;
    await sql.run(
      "DELETE FROM events WHERE id <= $1 OR id < " +
        "(SELECT id FROM events WHERE at >= $2 ORDER BY id LIMIT 1)",
      id - KEPT_ROWS,
      nowMs - KEPT_MS,
    );
  }
}

export async function journalPage(
  { afterId, limit }: { afterId: number; limit: number },
  sql: Sql,
): Promise<JournalPage> {
  const rows = await sql.all(
    "SELECT id, at, body FROM events WHERE id > $1 ORDER BY id LIMIT $2",
    afterId,
    limit,
  );
  const oldest = await sql.get("SELECT min(id) AS id FROM events");
  return {
    oldestId: oldest!["id"] as number | null,
    batches: rows.map((row) => ({
      id: row["id"] as number,
      atMs: row["at"] as number,
      events: JSON.parse(row["body"] as string),
    })),
  };
}
