/** Inserting jobs: those of all calls that share a commit go in together. */
import type { NewJob } from "../../job/job.ts";
import { type Addition, isRefused, type RequestKey, whatBecame } from "../store.ts";
import { Depth } from "./depth.ts";
import * as extras from "./extras.ts";
import { JobRows } from "./job_rows.ts";
import type { Place } from "./migrate.ts";
import { findRequest, keepRequest } from "./requests.ts";
import type { Transaction } from "./transaction.ts";

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
   * others, is cancelled. Returns those that were added.
   */
  async addMissing(
    jobs: readonly NewJob[],
    nowMs: number,
    transaction: Transaction,
  ): Promise<readonly NewJob[]> {
    await transaction.exclusively();
    const known = new Set(await this.#findDuplicates(jobs, transaction));
    const unknown = jobs.filter(({ id }) => !known.has(id) && known.add(id));
    if (unknown.length === 0) return [];
    await this.#rows.write(transaction);
    const { taken, existing } = await extras.check(unknown, transaction);
    const standIns = new Map([...existing, ...taken]);
    await this.#insertAll(unknown, { existing: standIns, nowMs }, transaction);
    const added = unknown.filter((_, index) => !standIns.has(index));
    await extras.breakCycles(added, nowMs, transaction);
    transaction.wake();
    return added;
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
    const seqs = await this.#rows.writeNumbered(transaction);
    for (const [index, job] of jobs.entries()) {
      if (existing.has(index) || job.extras === null) continue;
      await extras.attach(job as extras.SpecialJob, seqs.get(job.id)!, nowMs, transaction);
    }
    transaction.tally("added", jobs.length - existing.size, nowMs);
    return await extras.linkAll(jobs, { existing, nowMs }, transaction);
  }
}
