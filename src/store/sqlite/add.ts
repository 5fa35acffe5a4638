/** Inserting jobs. */
import type { NewJob, Payload } from "../../job/job.ts";
import type { Addition } from "../store.ts";
import type { Connection } from "./connection.ts";
import type { Transaction } from "./transaction_counts.ts";

/**
 * Payloads of at most this many bytes (or UTF-16 units) stand in the job's row. Larger ones would
 * spill out of the page and be rewritten whenever the state changes.
 */
const INLINE_PAYLOAD = 1_024;

export function prepareAdd(connection: Connection) {
  // An id that exists inserts nothing; the unique index on id is looked at anyway.
  const insert = connection.prepare(
    "INSERT INTO jobs (id, queue, kind, state, priority, run_at, max_retries, timeout_ms, " +
      "created_at, updated_at, payload) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?) " +
      "ON CONFLICT (id) DO NOTHING",
  );
  const insertPayload = connection.prepare(
    "INSERT INTO payloads (seq, body) SELECT seq, ? FROM jobs WHERE id = ?",
  );
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
      const rows = findIds.all(JSON.stringify(chosen));
      if (rows.length > 0) return { duplicates: rows.map((row) => row["id"] as string) };
    }
    if (mostWaiting !== null) {
      const waiting = transaction.waiting();
      if (waiting + jobs.length > mostWaiting) return { duplicates: [], waiting };
    }
    for (const job of jobs) {
      const isInline = sizeOf(job.payload) <= INLINE_PAYLOAD;
      const inserted = insert.run(
        job.id,
        job.queue,
        job.kind,
        job.priority,
        job.runAtMs,
        job.maxRetries,
        job.timeoutMs,
        nowMs,
        nowMs,
        isInline ? job.payload : null,
      );
      // Not caught before: a fresh id that exists, or one id twice among `jobs`. Undo them all.
      if (inserted !== 1) throw new Error(`the id ${job.id} was inserted twice`);
      if (!isInline) insertPayload.run(job.payload, job.id);
      transaction.count(job.queue, "pending", 1);
    }
    transaction.tally("added", jobs.length, nowMs);
    return { duplicates: [] };
  };
}

function sizeOf(payload: Payload): number {
  return typeof payload === "string" ? payload.length : payload.byteLength;
}
