/**
 * What `top` looks up for what it shows. Reads the queue and keeps nothing but what the jobs of a list
 * do, which never changes.
 */
import { InvalidInputError, JobNotFoundError } from "../../job/errors.ts";
import { LIMITS } from "../../job/job.ts";
import type { Job, Payload } from "../../job/job.ts";
import { type AttemptView, joinOutput, type Queue } from "../../queue/queue.ts";
import type {
  Dependency,
  QueueStats,
  StoredFile,
  StoredProgress,
  WorkerStatus,
} from "../../store/store.ts";
import { workOf } from "../job_table.ts";
import { type Overview, STEP_MS, STEPS } from "./overview.ts";
import { firstShown, selectedIndex, type TopState } from "./state.ts";

/** The rows of a tab. */
export type Listed =
  | { readonly type: "jobs"; readonly jobs: readonly ListedJob[]; readonly hasMore: boolean }
  | { readonly type: "queues"; readonly queues: readonly QueueStats[] }
  | { readonly type: "workers"; readonly workers: readonly ListedWorker[] };

export interface ListedJob {
  readonly job: Job;
  /** What it does, or why it failed; empty for those out of sight. */
  readonly about: string;
}

export interface ListedWorker {
  readonly worker: WorkerStatus;
  /** The job that it runs, and what that does. */
  readonly job: ListedJob | null;
}

/** A job with all that its page tells. */
export interface JobPage {
  readonly job: Job;
  readonly work: string;
  readonly payload: Payload;
  readonly attempts: readonly AttemptView[];
  readonly dependencies: readonly Dependency[];
  readonly files: readonly StoredFile[];
  readonly progress: StoredProgress | null;
  /** The ends of what the last attempt has printed. */
  readonly output: readonly { readonly stream: string; readonly text: string }[];
}

export interface Content {
  readonly overview: Overview;
  /** Null: not known yet. */
  readonly listed: Listed | null;
  /** Missing: none is shown; null: it is gone. */
  readonly page?: JobPage | null;
}

/** How much is shown of each stream. */
const OUTPUT_CHARACTERS = 64 * 1024;

/** How long a search may go on before what was found is shown; it is rare that one takes long. */
const SEARCH_MS = 30_000;

/** Jobs whose work is remembered. */
const REMEMBERED = 2_000;

export class ContentReader {
  readonly #queue: Queue;
  readonly #works = new Map<number, string>();

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** Everything that the screen shows now; a long search ends early when nobody waits for it. */
  async read(
    state: TopState,
    { height, isWanted }: { height: number; isWanted: () => boolean },
  ): Promise<Content> {
    const queue = this.#queue;
    const [stats, workers, history] = await Promise.all([
      queue.stats(),
      queue.workers(),
      queue.history(STEPS, STEP_MS),
    ]);
    const overview = { stats, workers, history, nowMs: queue.clock() };
    const listed = await this.#list(state, overview, { height, isWanted });
    if (state.view.type !== "job") return { overview, listed };
    return { overview, listed, page: await this.#page(state.view.id) };
  }

  #list(
    state: TopState,
    { stats, workers }: Overview,
    look: { height: number; isWanted: () => boolean },
  ): Promise<Listed> {
    switch (state.tab) {
      case "queues":
        return Promise.resolve({ type: "queues", queues: stats.queues });
      case "workers":
        return this.#listWorkers(workers);
      default:
        return this.#listJobs(state, look);
    }
  }

  async #listJobs(
    state: TopState,
    { height, isWanted }: { height: number; isWanted: () => boolean },
  ): Promise<Listed> {
    const { tab, search, limit } = state;
    const query = {
      ...(search === "" ? {} : { search }),
      ...(tab === "dlq" ? { states: ["dead"] as const } : {}),
    };
    const jobs: Job[] = [];
    const untilMs = performance.now() + SEARCH_MS;
    let beforeSeq: number | undefined;
    let hasMore = true;
    while (hasMore && jobs.length < limit) {
      const pageLimit = Math.min(LIMITS.listPage, limit - jobs.length);
      const page = await this.#queue.list({ ...query, limit: pageLimit, beforeSeq });
      jobs.push(...page.jobs);
      beforeSeq = page.nextSeq ?? undefined;
      hasMore = page.nextSeq !== null;
      if (performance.now() > untilMs || !isWanted()) break;
    }
    const ids = jobs.map(({ id }) => id);
    const first = firstShown(selectedIndex(state, ids), ids.length, height);
    const listed = jobs.map(async (job, index) => {
      const isSeen = index >= first && index < first + height;
      return { job, about: isSeen ? await this.#about(job) : "" };
    });
    return { type: "jobs", jobs: await Promise.all(listed), hasMore };
  }

  async #listWorkers(workers: readonly WorkerStatus[]): Promise<Listed> {
    const listed = workers.map(async (worker) => {
      const job = worker.jobId === null ? null : await this.#queue.store.find(worker.jobId);
      return { worker, job: job === null ? null : { job, about: await this.#work(job) } };
    });
    return { type: "workers", workers: await Promise.all(listed) };
  }

  /** Why it failed, else what it does. */
  async #about(job: Job): Promise<string> {
    return job.lastError?.message ?? await this.#work(job);
  }

  async #work(job: Job): Promise<string> {
    const known = this.#works.get(job.seq);
    if (known !== undefined) return known;
    const work = await workOf(job, this.#queue);
    if (this.#works.size >= REMEMBERED) this.#works.clear();
    this.#works.set(job.seq, work);
    return work;
  }

  async #page(id: string): Promise<JobPage | null> {
    const queue = this.#queue;
    try {
      const job = await queue.find(id);
      const [work, payload, attempts, dependencies, files, progress, output] = await Promise.all([
        this.#work(job),
        queue.payload(job),
        queue.attempts(job),
        queue.dependencies(job),
        queue.files(job),
        queue.progress(job),
        queue.output(job),
      ]);
      const streams = (["stdout", "stderr"] as const).map((stream) => ({
        stream,
        text: new TextDecoder().decode(joinOutput(output?.chunks ?? [], stream))
          .slice(-OUTPUT_CHARACTERS),
      }));
      return { job, work, payload, attempts, dependencies, files, progress, output: streams };
    } catch (error) {
      if (error instanceof JobNotFoundError) return null;
      throw error;
    }
  }
}

/** What the rows are about, in their order. */
export function idsOf(listed: Listed | null): string[] {
  switch (listed?.type) {
    case undefined:
      return [];
    case "jobs":
      return listed.jobs.map(({ job }) => job.id);
    case "queues":
      return listed.queues.map(({ queue }) => queue);
    case "workers":
      return listed.workers.map(({ worker }) => `${worker.holder} ${worker.label}`);
  }
}

/** The job of each row. */
export function jobIdsOf(listed: Listed | null): (string | null)[] {
  switch (listed?.type) {
    case undefined:
      return [];
    case "jobs":
      return listed.jobs.map(({ job }) => job.id);
    case "queues":
      return listed.queues.map(() => null);
    case "workers":
      return listed.workers.map(({ worker }) => worker.jobId);
  }
}

/** What is wrong with a search, in words; other errors are thrown on. */
export function problemText(error: unknown): string {
  if (!(error instanceof InvalidInputError)) throw error;
  return error.problems.map(({ detail }) => detail.replace(/^q: /, "")).join("; ");
}
