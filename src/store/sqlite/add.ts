/** Inserting jobs: those of all calls that share a commit go in together. */
import type { NewJob, Payload } from "../../job/job.ts";
import type { Addition } from "../store.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, SqlValue } from "./connection.ts";
import { prepareExtras, type SpecialJob } from "./extras.ts";
import type { Ends } from "./ends.ts";
import type { Files } from "./files.ts";
import type { DeferredRows, Transaction } from "./transaction_counts.ts";

/**
 * Payloads of at most this many bytes (or UTF-16 units) stand in the job's row. Larger ones would
 * spill out of the page and be rewritten whenever the state changes.
 */
const INLINE_PAYLOAD = 1_024;

const NOTHING_WRONG: Addition = { duplicates: [] };

export type Add = ReturnType<typeof prepareAdd>;

export function prepareAdd(connection: Connection, special: { ends: Ends; files: Files }) {
  const rows = new JobRows(connection);
  const extras = prepareExtras(connection, special);
  const findIds = connection.prepare(
    "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
  );

  function add(
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: { nowMs: number; mostWaiting: number | null },
    transaction: Transaction,
  ): Addition {
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
    if (jobs.some((job) => job.extras !== null)) {
      rows.write(); // they may name jobs that were added a moment ago
      return addSpecial(jobs, nowMs, transaction);
    }
    transaction.defer(rows);
    for (const job of jobs) put(job, nowMs, transaction);
    transaction.tally("added", jobs.length, nowMs);
    return NOTHING_WRONG;
  }

  function put(job: NewJob, nowMs: number, transaction: Transaction): void {
    rows.put(job, nowMs);
    transaction.count(job.queue, "pending", 1);
  }

  /** Jobs of which at least one has extras, in their order. */
  function addSpecial(
    jobs: readonly NewJob[],
    nowMs: number,
    transaction: Transaction,
  ): Addition {
    const { refusal, existing } = extras.check(jobs);
    if (refusal !== null) return refusal;
    let added = 0;
    for (const [index, job] of jobs.entries()) {
      if (existing.has(index)) continue;
      added++;
      if (job.extras === null) {
        put(job, nowMs, transaction);
        continue;
      }
      rows.write();
      const isInline = sizeOf(job.payload) <= INLINE_PAYLOAD;
      const special = job as SpecialJob;
      extras.insert(special, { nowMs, payload: isInline ? job.payload : null }, transaction);
      if (!isInline) rows.writePayload(job);
      transaction.count(job.queue, "pending", 1);
    }
    rows.write();
    extras.linkAll(jobs, { existing, nowMs }, transaction);
    transaction.tally("added", added, nowMs);
    return existing.size === 0 ? NOTHING_WRONG : { duplicates: [], existing };
  }

  /**
   * Adds jobs that nobody can be told about any more: what was added before, under the same id or
   * unique key, is not added again.
   */
  function addMissing(jobs: readonly NewJob[], nowMs: number, transaction: Transaction): void {
    for (const job of jobs) add([job], { nowMs, mostWaiting: null }, transaction);
    if (jobs.length > 0) transaction.wake();
  }

  return { add, addMissing };
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
    for (const job of large) this.writePayload(job);
  }

  /** The payload of a job that stands in its table already. */
  writePayload({ id, payload }: { readonly id: string; readonly payload: Payload }): void {
    this.#insertPayload.run(payload, id);
  }

  forget(): void {
    this.#rows = [];
    this.#large = [];
  }
}

function sizeOf(payload: Payload): number {
  return typeof payload === "string" ? payload.length : payload.byteLength;
}
