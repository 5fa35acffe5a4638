/** Inserting jobs: those of all calls that share a commit go in together. */
import type { NewJob, Payload } from "../../job/job.ts";
import type { Addition } from "../store.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, SqlValue } from "./connection.ts";
import type { DeferredRows, Transaction } from "./transaction_counts.ts";

/**
 * Payloads of at most this many bytes (or UTF-16 units) stand in the job's row. Larger ones would
 * spill out of the page and be rewritten whenever the state changes.
 */
const INLINE_PAYLOAD = 1_024;

export function prepareAdd(connection: Connection) {
  const rows = new JobRows(connection);
  const findIds = connection.prepare(
    "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
  );

  return (
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: { nowMs: number; mostWaiting: number | null },
    transaction: Transaction,
  ): Addition => {
    const chosen = jobs.filter((job) => !job.isIdFresh).map((job) => job.id);
    if (chosen.length > 0) {
      rows.write();
      const found = findIds.all(JSON.stringify(chosen));
      if (found.length > 0) return { duplicates: found.map((row) => row["id"] as string) };
    }
    if (mostWaiting !== null) {
      const waiting = transaction.waiting();
      if (waiting + jobs.length > mostWaiting) return { duplicates: [], waiting };
    }
    transaction.defer(rows);
    for (const job of jobs) {
      rows.put(job, nowMs);
      transaction.count(job.queue, "pending", 1);
    }
    transaction.tally("added", jobs.length, nowMs);
    return { duplicates: [] };
  };
}

/** Rows of `jobs` to be inserted. One statement for many halves what a row costs. */
class JobRows implements DeferredRows {
  readonly #insert: BulkStatement;
  readonly #insertPayload;
  #rows: SqlValue[][] = [];
  #large: { id: string; payload: Payload }[] = [];

  constructor(connection: Connection) {
    // An id that exists inserts nothing; the unique index on id is looked at anyway.
    this.#insert = new BulkStatement(
      connection,
      11,
      (rows) =>
        "INSERT INTO jobs (id, queue, kind, state, priority, run_at, max_retries, timeout_ms, " +
        `created_at, updated_at, payload) VALUES ${rows} ON CONFLICT (id) DO NOTHING`,
    );
    this.#insertPayload = connection.prepare(
      "INSERT INTO payloads (seq, body) SELECT seq, ? FROM jobs WHERE id = ?",
    );
  }

  put(job: NewJob, nowMs: number): void {
    const { id, queue, kind, priority, runAtMs, maxRetries, timeoutMs, payload } = job;
    const isInline = sizeOf(payload) <= INLINE_PAYLOAD;
    const inline = isInline ? payload : null;
    this.#rows.push(
      [id, queue, kind, "pending", priority, runAtMs, maxRetries, timeoutMs, nowMs, nowMs, inline],
    );
    if (!isInline) this.#large.push({ id, payload });
  }

  write(): void {
    const rows = this.#rows;
    const large = this.#large;
    this.forget();
    const inserted = this.#insert.runExactly(rows);
    // Not caught before: a fresh id that exists, or one id twice among them. Undo them all.
    if (inserted !== rows.length) throw new Error("an id was to be inserted twice");
    for (const { id, payload } of large) this.#insertPayload.run(payload, id);
  }

  forget(): void {
    this.#rows = [];
    this.#large = [];
  }
}

function sizeOf(payload: Payload): number {
  return typeof payload === "string" ? payload.length : payload.byteLength;
}
