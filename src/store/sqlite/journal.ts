/**
 * The journal of what happens, for those who follow along: live pages, `logs -f`. One row for each
 * commit, written in that commit, and only while somebody follows; otherwise a transaction costs one
 * look at one row. Bounded in age and length.
 *
 * Invariant: between two rows with successive ids nothing is missing, but where a row says `gap`.
 */
import type { Clock } from "../../lib/clock.ts";
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
import type { Connection } from "./connection.ts";

export class Journal {
  readonly #clock: Clock;
  readonly #selectUntil;
  readonly #setUntil;
  readonly #selectJob;
  readonly #insert;
  readonly #sweep;
  readonly #lastId;
  readonly #oldestId;
  readonly #page;
  #events: JournalEvent[] = [];
  /** Null: this transaction has not looked yet. */
  #isFollowed: boolean | null = null;
  #hasTold = false;

  constructor(connection: Connection, clock: Clock) {
    this.#clock = clock;
    this.#selectUntil = connection.prepare("SELECT value FROM meta WHERE key = 'events_until'");
    this.#setUntil = connection.prepare(
      "INSERT INTO meta (key, value) VALUES ('events_until', ?) " +
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    this.#selectJob = connection.prepare(
      `SELECT ${TOLD_COLUMNS} FROM jobs WHERE seq = ?`,
    );
    this.#insert = connection.prepare("INSERT INTO events (at, body) VALUES (?, ?) RETURNING id");
    this.#sweep = connection.prepare(
      "DELETE FROM events WHERE id <= ? OR id < " +
        "(SELECT id FROM events WHERE at >= ? ORDER BY id LIMIT 1)",
    );
    this.#lastId = connection.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
    this.#oldestId = connection.prepare("SELECT min(id) AS id FROM events");
    this.#page = connection.prepare(
      "SELECT id, at, body FROM events WHERE id > ? ORDER BY id LIMIT ?",
    );
  }

  /** Whether anybody wants to know. */
  get isFollowed(): boolean {
    return this.#isFollowed ??= this.#until() > this.#clock();
  }

  /** Something has happened to a job, whose row says already how it is now. */
  job(type: JobHappening, seq: number): void {
    if (!this.isFollowed) return;
    const row = this.#selectJob.get(seq);
    if (row === undefined) return;
    this.#events.push(happeningFromRow(type, row));
  }

  /** A job is added, whose row may not be there yet. */
  added(job: NewJob): void {
    if (this.isFollowed) this.#events.push(additionOf(job));
  }

  /** Something else has changed. */
  changed(type: "queue.changed" | "schedule.changed", name: string): void {
    if (this.isFollowed) this.#events.push({ type, name });
  }

  /** Writes what was gathered. */
  write(): void {
    if (this.#events.length === 0) return;
    this.#append(this.#events);
    this.#hasTold = true;
  }

  /** Starts anew: the transaction is over. */
  forget(): void {
    this.#events = [];
    this.#isFollowed = null;
  }

  /** Whether the transaction just committed, or rolled back, has written. */
  takeTold(): boolean {
    const hasTold = this.#hasTold;
    this.#hasTold = false;
    return hasTold;
  }

  /** Somebody follows until then. Returns the id after which nothing will be missing. */
  follow(untilMs: number): number {
    const hasLapsed = this.#until() <= this.#clock();
    this.#setUntil.run(untilMs);
    // What happened while nobody followed is not here: those who come back must know.
    if (hasLapsed) this.#append([{ type: "gap" }]);
    return this.last();
  }

  last(): number {
    return this.#lastId.get()?.["seq"] as number | undefined ?? 0;
  }

  page(afterId: number, limit: number): JournalPage {
    const rows = this.#page.all(afterId, limit);
    return {
      oldestId: this.#oldestId.get()!["id"] as number | null,
      batches: rows.map((row) => ({
        id: row["id"] as number,
        atMs: row["at"] as number,
        events: JSON.parse(row["body"] as string),
      })),
    };
  }

  #until(): number {
    return this.#selectUntil.get()?.["value"] as number | undefined ?? 0;
  }

  #append(events: readonly JournalEvent[]): void {
    const nowMs = this.#clock();
    const { id } = this.#insert.get(nowMs, JSON.stringify(events)) as { id: number };
    if (id % SWEEP_EVERY === 0) this.#sweep.run(id - KEPT_ROWS, nowMs - KEPT_MS);
  }
}
