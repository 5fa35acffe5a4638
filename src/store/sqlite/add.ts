/** Inserting jobs: those of all calls that share a commit go in together. */
import type { NewJob, Payload } from "../../job/job.ts";
import { type Addition, isRefused, type RequestKey, whatBecame } from "../store.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, SqlValue } from "./connection.ts";
import { type Checked, refusalOf, type SpecialJob } from "../shared/special_jobs.ts";
import { prepareExtras } from "./extras.ts";
import type { Ends } from "./ends.ts";
import type { Files } from "./files.ts";
import type { Requests } from "./requests.ts";
import type { DeferredRows, Transaction } from "./transaction_counts.ts";

/**
 * Payloads of at most this many bytes (or UTF-16 units) stand in the job's row. Larger ones would
 * spill out of the page and be rewritten whenever the state changes.
 */
export const INLINE_PAYLOAD = 1_024;

const NOTHING_WRONG: Addition = { duplicates: [] };

export type Add = ReturnType<typeof prepareAdd>;

interface AddLimits {
  readonly mostWaiting: number | null;
}

export function prepareAdd(
  connection: Connection,
  { requests, ...special }: { ends: Ends; files: Files; requests: Requests },
) {
  const rows = new JobRows(connection);
  const extras = prepareExtras(connection, special);
  const findIds = connection.prepare(
    "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
  );

  function add(
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: AddLimits & { readonly nowMs: number },
    transaction: Transaction,
  ): Addition {
    if (jobs.some((job) => job.extras !== null)) {
      return addSpecial(jobs, { nowMs, mostWaiting }, transaction);
    }
    const duplicates = findDuplicates(jobs);
    if (duplicates.length > 0) return { duplicates };
    if (mostWaiting !== null) {
      const waiting = transaction.waiting();
      if (waiting + jobs.length > mostWaiting) return { duplicates: [], waiting };
    }
    transaction.defer(rows);
    for (const job of jobs) put(job, nowMs, transaction);
    transaction.tally("added", jobs.length, nowMs);
    return NOTHING_WRONG;
  }

  /** Like {@link add}, but what became of the same request before is told again. */
  function addOnce(
    jobs: readonly NewJob[],
    { nowMs, request, ...limits }: AddLimits & { nowMs: number; request: RequestKey },
    transaction: Transaction,
  ): Addition {
    const before = requests.find(request, nowMs);
    if (before !== null) return before;
    const addition = add(jobs, { nowMs, ...limits }, transaction);
    if (!isRefused(addition)) requests.keep(request, whatBecame(jobs, addition), nowMs);
    return addition;
  }

  /** Chosen ids that are in use. */
  function findDuplicates(jobs: readonly NewJob[]): string[] {
    const chosen = jobs.filter((job) => !job.isIdFresh).map((job) => job.id);
    if (chosen.length === 0) return [];
    rows.write();
    return findIds.all(JSON.stringify(chosen)).map((row) => row["id"] as string);
  }

  function put(job: NewJob, nowMs: number, transaction: Transaction): void {
    rows.put(job, nowMs);
    transaction.count(job.queue, "pending", 1);
    transaction.journal.added(job);
  }

  /** Jobs of which at least one has extras. */
  function addSpecial(
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: AddLimits & { readonly nowMs: number },
    transaction: Transaction,
  ): Addition {
    rows.write(); // they may name jobs that were added a moment ago
    const checked = extras.check(jobs);
    const { existing } = checked;
    const duplicates = findDuplicates(jobs.filter((_, index) => !existing.has(index)));
    const refusal = refusalOf(checked);
    if (refusal !== null || duplicates.length > 0) return { duplicates, ...refusal };
    if (mostWaiting !== null && existing.size < jobs.length) {
      const waiting = transaction.waiting();
      if (waiting + jobs.length - existing.size > mostWaiting) return { duplicates: [], waiting };
    }
    const cancelled = insertAll(jobs, { existing, nowMs }, transaction);
    return { duplicates: [], existing, cancelled };
  }

  /** Inserts the jobs in their order, but for those that others stand for. */
  function insertAll(
    jobs: readonly NewJob[],
    { existing, nowMs }: { existing: Checked["existing"]; nowMs: number },
    transaction: Transaction,
  ): ReadonlySet<number> {
    transaction.defer(rows);
    for (const [index, job] of jobs.entries()) {
      if (existing.has(index)) continue;
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
      transaction.journal.added(job);
    }
    rows.write();
    transaction.tally("added", jobs.length - existing.size, nowMs);
    return extras.linkAll(jobs, { existing, nowMs }, transaction);
  }

  /**
   * Adds jobs that nobody can be told about any more: what was added before, under the same id or
   * unique key, is not added again, and what waits for a job that does not exist, or for itself along
   * others, is cancelled. Returns those that were added.
   */
  function addMissing(
    jobs: readonly NewJob[],
    nowMs: number,
    transaction: Transaction,
  ): readonly NewJob[] {
    const known = new Set(findDuplicates(jobs));
    const unknown = jobs.filter(({ id }) => !known.has(id) && known.add(id));
    if (unknown.length === 0) return [];
    rows.write();
    const { taken, existing } = extras.check(unknown);
    const standIns = new Map([...existing, ...taken]);
    insertAll(unknown, { existing: standIns, nowMs }, transaction);
    const added = unknown.filter((_, index) => !standIns.has(index));
    extras.breakCycles(added, nowMs, transaction);
    transaction.wake();
    return added;
  }

  return { add, addOnce, addMissing };
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
