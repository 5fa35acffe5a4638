/** Inserting jobs: those of all calls that share a commit go in together. */
import type { NewJob, Payload } from "../../job/job.ts";
import { type Addition, isRefused, type RequestKey, whatBecame } from "../store.ts";
import { Depth } from "./depth.ts";
import * as extras from "./extras.ts";
import type { Place } from "./migrate.ts";
import { findRequest, keepRequest } from "./requests.ts";
import type { DeferredRows, Transaction } from "./transaction.ts";

const NOTHING_WRONG: Addition = { duplicates: [] };

interface AddLimits {
  readonly mostWaiting: number | null;
}

export class Adding {
  readonly #rows = new JobRows();
  readonly #depth: Depth;

  constructor(place: Place) {
    this.#depth = new Depth(place);
  }

  async add(
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: AddLimits & { readonly nowMs: number },
    transaction: Transaction,
  ): Promise<Addition> {
    if (jobs.some((job) => job.extras !== null)) {
      return await this.#addSpecial(jobs, { nowMs, mostWaiting }, transaction);
    }
    const duplicates = await this.#findDuplicates(jobs, transaction);
    if (duplicates.length > 0) return { duplicates };
    if (mostWaiting !== null) {
      const waiting = await this.#depth.makeRoom(jobs.length, mostWaiting, transaction);
      if (waiting !== null) return { duplicates: [], waiting };
    }
    transaction.defer(this.#rows);
    for (const job of jobs) this.#put(job, nowMs, transaction);
    transaction.tally("added", jobs.length, nowMs);
    return NOTHING_WRONG;
  }

  /** Like {@link add}, but what became of the same request before is told again. */
  async addOnce(
    jobs: readonly NewJob[],
    { nowMs, request, ...limits }: AddLimits & { nowMs: number; request: RequestKey },
    transaction: Transaction,
  ): Promise<Addition> {
    await transaction.exclusively();
    const before = await findRequest(request, nowMs, transaction);
    if (before !== null) return before;
    const addition = await this.add(jobs, { nowMs, ...limits }, transaction);
    if (!isRefused(addition)) {
      await keepRequest(request, whatBecame(jobs, addition), nowMs, transaction);
    }
    return addition;
  }

  /**
   * Adds jobs that nobody can be told about any more: what was added before, under the same id or
   * unique key, is not added again, and what waits for a job that does not exist, or for itself along
   * others, is cancelled.
   */
  async addMissing(
    jobs: readonly NewJob[],
    nowMs: number,
    transaction: Transaction,
  ): Promise<void> {
    await transaction.exclusively();
    const known = new Set(await this.#findDuplicates(jobs, transaction));
    const unknown = jobs.filter(({ id }) => !known.has(id) && known.add(id));
    if (unknown.length === 0) return;
    await this.#rows.write(transaction);
    const { taken, existing } = await extras.check(unknown, transaction);
    const standIns = new Map([...existing, ...taken]);
    await this.#insertAll(unknown, { existing: standIns, nowMs }, transaction);
    const added = unknown.filter((_, index) => !standIns.has(index));
    await extras.breakCycles(added, nowMs, transaction);
    transaction.wake();
  }

  /** Chosen ids that are in use. */
  async #findDuplicates(jobs: readonly NewJob[], transaction: Transaction): Promise<string[]> {
    const chosen = jobs.filter((job) => !job.isIdFresh).map((job) => job.id);
    if (chosen.length === 0) return [];
    await this.#rows.write(transaction);
    const rows = await transaction.all("SELECT id FROM jobs WHERE id = ANY($1::text[])", chosen);
    return rows.map((row) => row["id"] as string);
  }

  #put(job: NewJob, nowMs: number, transaction: Transaction): void {
    this.#rows.put(job, nowMs);
    transaction.count(job.queue, "pending", 1);
    transaction.journal.added(job);
  }

  /** Jobs of which at least one has extras. */
  async #addSpecial(
    jobs: readonly NewJob[],
    { nowMs, mostWaiting }: AddLimits & { readonly nowMs: number },
    transaction: Transaction,
  ): Promise<Addition> {
    // Those that only have options or a key concern nobody else.
    if (jobs.some(({ extras }) => extras?.unique != null || extras?.after != null)) {
      await transaction.exclusively();
    }
    await this.#rows.write(transaction); // they may name jobs that were added a moment ago
    const checked = await extras.check(jobs, transaction);
    const { existing } = checked;
    const news = jobs.filter((_, index) => !existing.has(index));
    const duplicates = await this.#findDuplicates(news, transaction);
    const refusal = extras.refusalOf(checked);
    if (refusal !== null || duplicates.length > 0) return { duplicates, ...refusal };
    if (mostWaiting !== null && existing.size < jobs.length) {
      const more = jobs.length - existing.size;
      const waiting = await this.#depth.makeRoom(more, mostWaiting, transaction);
      if (waiting !== null) return { duplicates: [], waiting };
    }
    const cancelled = await this.#insertAll(jobs, { existing, nowMs }, transaction);
    return { duplicates: [], existing, cancelled };
  }

  /** Inserts the jobs in their order, but for those that others stand for. */
  async #insertAll(
    jobs: readonly NewJob[],
    { existing, nowMs }: { existing: extras.Checked["existing"]; nowMs: number },
    transaction: Transaction,
  ): Promise<ReadonlySet<number>> {
    transaction.defer(this.#rows);
    for (const [index, job] of jobs.entries()) {
      if (existing.has(index)) continue;
      this.#put(job, nowMs, transaction);
    }
    const seqs = await this.#rows.write(transaction);
    for (const [index, job] of jobs.entries()) {
      if (existing.has(index) || job.extras === null) continue;
      await extras.attach(job as extras.SpecialJob, seqs.get(job.id)!, nowMs, transaction);
    }
    transaction.tally("added", jobs.length - existing.size, nowMs);
    return await extras.linkAll(jobs, { existing, nowMs }, transaction);
  }
}

const INSERT = "INSERT INTO jobs (id, queue, kind, state, priority, run_at, max_retries, " +
  "timeout_ms, created_at, updated_at, payload, payload_bytes, options, flow_key, traits) " +
  "SELECT id, queue, kind, 'pending', priority, run_at, max_retries, timeout_ms, now_ms, now_ms, " +
  "payload, payload_bytes, options, flow_key, traits FROM unnest($1::text[], $2::text[], " +
  "$3::text[], $4::int[], $5::bigint[], $6::int[], $7::bigint[], $8::bigint[], $9::text[], " +
  "$10::bytea[], $11::text[], $12::text[], $13::int[]) WITH ORDINALITY AS new (id, queue, kind, " +
  "priority, run_at, max_retries, timeout_ms, now_ms, payload, payload_bytes, options, flow_key, " +
  "traits, place) ORDER BY place RETURNING id, seq";

/** So many bytes of payloads go in one statement. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Rows of `jobs` to be inserted. */
class JobRows implements DeferredRows {
  #jobs: { job: NewJob; nowMs: number }[] = [];
  #bytes = 0;

  put(job: NewJob, nowMs: number): void {
    this.#jobs.push({ job, nowMs });
    this.#bytes += sizeOf(job.payload);
  }

  get isLarge(): boolean {
    return this.#bytes >= MOST_BYTES;
  }

  /** The numbers of the jobs by their ids. */
  write(transaction: Transaction): Promise<Map<string, number>> {
    if (this.isLarge) return this.#writeInParts(transaction);
    const jobs = this.#jobs;
    this.forget();
    return jobs.length === 0
      ? Promise.resolve(new Map())
      : insert(jobs, transaction).then((pairs) => new Map(pairs));
  }

  async #writeInParts(transaction: Transaction): Promise<Map<string, number>> {
    const jobs = this.#jobs;
    this.forget();
    const seqs = new Map<string, number>();
    for (let start = 0; start < jobs.length;) {
      let end = start;
      for (let bytes = 0; end < jobs.length && (end === start || bytes < MOST_BYTES); end++) {
        bytes += sizeOf(jobs[end]!.job.payload);
      }
      for (const [id, seq] of await insert(jobs.slice(start, end), transaction)) seqs.set(id, seq);
      start = end;
    }
    return seqs;
  }

  forget(): void {
    this.#jobs = [];
    this.#bytes = 0;
  }
}

function insert(
  jobs: readonly { readonly job: NewJob; readonly nowMs: number }[],
  transaction: Transaction,
): Promise<[string, number][]> {
  const column = <T>(value: (job: NewJob) => T) => jobs.map(({ job }) => value(job));
  const inserting = transaction.all(
    INSERT,
    column(({ id }) => id),
    column(({ queue }) => queue),
    column(({ kind }) => kind),
    column(({ priority }) => priority),
    column(({ runAtMs }) => runAtMs),
    column(({ maxRetries }) => maxRetries),
    column(({ timeoutMs }) => timeoutMs),
    jobs.map(({ nowMs }) => nowMs),
    column(({ payload }) => typeof payload === "string" ? payload : null),
    column(({ payload }) => typeof payload === "string" ? null : payload),
    column(({ extras }) => extras?.options == null ? null : JSON.stringify(extras.options)),
    column(({ extras }) => extras?.key ?? null),
    column((job) => job.extras === null ? 0 : extras.traitsOf(job.extras)),
  );
  return inserting.then((rows) =>
    rows.map((row) => [row["id"] as string, row["seq"] as number] as [string, number])
  );
}

function sizeOf(payload: Payload): number {
  return typeof payload === "string" ? payload.length : payload.byteLength;
}
