/**
 * What can be done with the queue: the use cases that HTTP and CLI share. Owns validation and the
 * meaning of a change; knows neither requests nor terminals nor SQL.
 *
 * Invariant: a method that returns has done its work durably; one that throws has done nothing.
 */
import {
  InvalidInputError,
  JobNotFoundError,
  type Problem,
  StoreUnavailableError,
} from "../job/errors.ts";
import {
  BUILT_IN_KINDS,
  HELD_MS,
  type Job,
  type NewJob,
  type OutputStream,
  type Payload,
  type StagedFile,
} from "../job/job.ts";
import { type ParseContext, parseNewJob, parseNewJobs, type PayloadParser } from "../job/parse.ts";
import { parseSearch, type SearchTerm } from "../job/search.ts";
import { isFinished, isLeased } from "../job/state.ts";
import type { Clock } from "../lib/clock.ts";
import { pause } from "../lib/pause.ts";
import type { Tracing } from "../lib/tracing.ts";
import {
  type AddedJob,
  type AuditEntry,
  type AuditQuery,
  type Dependency,
  type HistoryStep,
  type JobEdit,
  type JobPage,
  type JobStore,
  type ListQuery,
  type NewFile,
  type RequestKey,
  type Signature,
  type Stats,
  type StoredChunk,
  type StoredFile,
  type StoredProgress,
  whatBecame,
  type WorkerStatus,
} from "../store/store.ts";
import { attemptsOf, type AttemptView } from "./attempts.ts";
import { EventBus } from "./events.ts";
import { Metrics } from "./metrics.ts";
import { FileWriter, giveUpFile, readFile, sweepFiles } from "./file_writer.ts";
import { assertAdded, changedJob } from "./refusals.ts";

export { type AttemptView, joinOutput } from "./attempts.ts";

export interface QueueOptions {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly newId: () => string;
  /** The kinds that exist, each with the check of its payload. */
  readonly kinds: ReadonlyMap<string, PayloadParser>;
  /**
   * The check of payloads for kinds of a user, which become known as processes say that they have
   * handlers for them. Missing: there are none but `kinds`.
   */
  readonly userPayload?: PayloadParser;
  readonly maxRetries: number;
  readonly timeoutMs: number | null;
  /** Where commands run that name no directory. */
  readonly cwd: string | null;
  /** Null, and by default: nothing is traced. */
  readonly tracing?: Tracing | null;
  /** How long after its last heartbeat a worker is still shown as alive. */
  readonly workerTimeoutMs: number;
  /** How many jobs may wait for a worker; null, and by default: any number. */
  readonly maxDepth?: number | null;
  /** Who makes changes, where the call does not say; nobody unless given, then none is logged. */
  readonly actor?: string;
}

/** A job just added, or the one that stands for it. */
export interface Added extends AddedJob {
  /** The request was answered before, and this is what became of the job then. */
  readonly isReplay: boolean;
}

/** How long `cancel` waits for a running job to stop before it answers. */
const CANCEL_WAIT_MS = 5_000;
const CANCEL_POLL_MS = 20;

export class Queue {
  readonly events = new EventBus();
  /** Null: nothing is traced. */
  readonly tracing: Tracing | null;
  /** Figures of what this process does. */
  readonly metrics: Metrics;
  readonly #options: QueueOptions;
  readonly #kinds: Map<string, PayloadParser>;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.tracing = options.tracing ?? null;
    this.metrics = new Metrics(options.store, this.events);
    this.#kinds = new Map(options.kinds);
  }

  get store(): JobStore {
    return this.#options.store;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /**
   * Adds the job that the input describes. With a `request` that was answered before, it adds nothing
   * and returns what became of the job then.
   *
   * @throws {InvalidInputError} with every problem, {@link ConflictError} when the id or the unique
   * key is in use, {@link QueueFullError} when too many jobs wait, {@link ReusedKeyError}.
   */
  async add(
    input: unknown,
    { file, request = null }: { file?: StagedFile; request?: RequestKey | null } = {},
  ): Promise<Added> {
    if (this.#namesUnknownKind(input)) await this.learnKinds([input]);
    const context = this.parseContext(file);
    const job = parseNewJob(input, context);
    return (await this.#add([job], { nowMs: context.nowMs, request, isBatch: false }))[0]!;
  }

  /**
   * Adds the job that the input describes, with a file as its input. Where no new job comes of it,
   * the file is deleted. Throws as {@link Queue.add} does.
   */
  async addWithFile(
    input: unknown,
    file: StagedFile,
    request: RequestKey | null = null,
  ): Promise<Added> {
    let isOwned = false;
    try {
      const added = await this.add(input, { file, request });
      isOwned = added.isNew && !added.isReplay;
      return added;
    } finally {
      if (!isOwned) await this.giveUpFile(file);
    }
  }

  /** From now on jobs of these kinds of a user are accepted. */
  acceptKinds(kinds: readonly string[]): void {
    const { userPayload } = this.#options;
    if (userPayload === undefined) return;
    for (const kind of kinds) if (!this.#kinds.has(kind)) this.#kinds.set(kind, userPayload);
  }

  /** Asks the store for what other processes can run, if one of these inputs names an unknown kind. */
  async learnKinds(inputs: readonly unknown[]): Promise<void> {
    if (this.#options.userPayload === undefined) return;
    if (inputs.some((input) => this.#namesUnknownKind(input))) {
      this.acceptKinds(await this.store.kinds());
    }
  }

  /**
   * The job that the input describes, which is not added.
   *
   * @throws {InvalidInputError} with every problem.
   */
  async prepare(input: unknown): Promise<NewJob> {
    await this.learnKinds([input]);
    return parseNewJob(input, this.parseContext());
  }

  /** Begins a file that is to be the input of a job. */
  beginFile(file: NewFile): Promise<FileWriter> {
    return FileWriter.begin(this, file);
  }

  /**
   * Stores a file that is to be the input of a job.
   *
   * @throws {StoreUnavailableError} and whatever `bytes` throws; then nothing is stored.
   */
  async stageFile(
    file: NewFile,
    bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<StagedFile> {
    const writer = await this.beginFile(file);
    try {
      for await (const piece of bytes) await writer.write(piece);
      return await writer.end();
    } catch (error) {
      await writer.giveUp();
      throw error;
    }
  }

  /** Deletes a file that no job will have. */
  giveUpFile({ file }: StagedFile): Promise<void> {
    return giveUpFile(this.store, file, this.clock());
  }

  /** @throws {InvalidInputError} with what is wrong with the input of a job, which is not added. */
  async assertValid(input: unknown, file?: StagedFile): Promise<void> {
    await this.learnKinds([input]);
    parseNewJob(input, this.parseContext(file));
  }

  /** What is wrong with the input of a job, which is not added. */
  async check(input: unknown, file?: StagedFile): Promise<readonly Problem[]> {
    try {
      await this.assertValid(input, file);
      return [];
    } catch (error) {
      if (error instanceof InvalidInputError) return error.problems;
      throw error;
    }
  }

  /** Adds all or none; returns what became of each. Throws as {@link Queue.add} does. */
  async addAll(
    inputs: readonly unknown[],
    request: RequestKey | null = null,
  ): Promise<Added[]> {
    if (inputs.some((input) => this.#namesUnknownKind(input))) await this.learnKinds(inputs);
    const context = this.parseContext();
    const jobs = parseNewJobs(inputs, context);
    return this.#add(jobs, { nowMs: context.nowMs, request, isBatch: true });
  }

  async #add(
    jobs: readonly NewJob[],
    { nowMs, request, isBatch }: { nowMs: number; request: RequestKey | null; isBatch: boolean },
  ): Promise<Added[]> {
    const adding = this.store.add(jobs, nowMs, { mostWaiting: this.mostWaiting, request });
    // At once, not afterwards: a worker that is free claims the job in the commit that adds it.
    this.events.emit({ type: "work.expected" });
    const addition = await adding;
    assertAdded(addition, jobs, { isBatch, mostWaiting: this.mostWaiting });
    const isReplay = addition.replay !== undefined;
    return whatBecame(jobs, addition).map((added, index) => {
      const { queue, kind } = jobs[index]!;
      if (added.isNew && !isReplay) {
        this.events.emit({ type: "job.added", jobId: added.id, queue, kind });
      }
      return { ...added, isReplay };
    });
  }

  /** @throws {JobNotFoundError} */
  async find(id: string): Promise<Job> {
    const job = await this.store.find(id);
    if (job === null) throw new JobNotFoundError(id);
    return job;
  }

  /** The jobs that a job waits for, or has waited for. */
  async dependencies(job: Job): Promise<Dependency[]> {
    return job.isDependent ? await this.store.dependencies(job.seq) : [];
  }

  /** The ids of the jobs that a job waits for now. */
  async waitingFor(job: Job): Promise<readonly string[]> {
    if (job.runAtMs !== HELD_MS || isFinished(job.state)) return [];
    return (await this.dependencies(job)).filter(({ isMet }) => !isMet).map(({ id }) => id);
  }

  /** How far the job's attempt has come, if that kind of job says so; null: it has said nothing. */
  async progress(job: Job): Promise<StoredProgress | null> {
    // What is built in says nothing, so that asking costs such jobs nothing.
    return BUILT_IN_KINDS.includes(job.kind) ? null : await this.store.progress(job);
  }

  payload(job: Job): Promise<Payload> {
    return this.store.payload(job.seq);
  }

  /** Its input and its artifacts; plain jobs are not asked for. */
  files(job: Job): Promise<readonly StoredFile[]> {
    return job.hasFiles ? this.store.files(job.seq) : Promise.resolve([]);
  }

  /** The bytes of a file, piece by piece. */
  readFile(file: StoredFile): AsyncGenerator<Uint8Array> {
    return readFile(this.store, file);
  }

  /**
   * A page of jobs, newest first; with `search` those that it describes: see `job/search.ts`. A page
   * of a search may hold fewer jobs than asked for and not be the last.
   *
   * @throws {InvalidInputError} when the search cannot be read.
   */
  list(query: ListQuery & { readonly search?: string }): Promise<JobPage> {
    const { search, states, queue, kind, limit, beforeSeq } = query;
    if (search === undefined) return this.store.list(query);
    const terms: SearchTerm[] = parseSearch(search);
    if (states !== undefined) terms.push({ type: "state", states, isNot: false });
    if (queue !== undefined) terms.push({ type: "queue", name: queue, isNot: false });
    if (kind !== undefined) terms.push({ type: "kind", name: kind, isNot: false });
    return this.store.search({ terms, limit, beforeSeq });
  }

  /** Every attempt so far, oldest first, the running or successful one last. */
  attempts(job: Job): Promise<AttemptView[]> {
    return attemptsOf(job, this.store);
  }

  /**
   * Output of the attempt with this number, by default the last one; null when there is no such
   * attempt. Where a requeued job has used a number twice, the latest counts.
   */
  async output(
    job: Job,
    { attempt, stream, afterChunk }: {
      attempt?: number;
      stream?: OutputStream;
      afterChunk?: number;
    } = {},
  ): Promise<{ attempt: AttemptView; chunks: StoredChunk[] } | null> {
    const attempts = await this.attempts(job);
    const found = attempt === undefined
      ? attempts.at(-1)
      : attempts.findLast((one) => one.attempt === attempt);
    if (found === undefined) return null;
    const { token } = found;
    const chunks = await this.store.output({ seq: job.seq, token, stream, afterChunk });
    return { attempt: found, chunks };
  }

  /**
   * Cancels a job. For a running one it waits a few seconds until the work has stopped; after that
   * the job comes back as it is, with `cancelRequestedAtMs` set.
   *
   * @throws {JobNotFoundError} {@link ConflictError} when it is finished already.
   */
  async cancel(id: string, by?: string): Promise<Job> {
    const change = await this.store.cancel(id, this.clock(), this.sign(by));
    if (change.result !== "requested") return changedJob(change, id, "cancel");
    this.events.emit({ type: "cancel.requested", jobId: id });
    const deadlineMs = performance.now() + CANCEL_WAIT_MS;
    let { job } = change;
    const { token } = job;
    while (isLeased(job.state) && job.token === token && performance.now() < deadlineMs) {
      await pause(CANCEL_POLL_MS);
      job = await this.find(id);
    }
    return job;
  }

  /**
   * Gives a dead or cancelled job a fresh set of attempts, perhaps changed. Throws as
   * {@link Queue.cancel} does.
   */
  async requeue(id: string, by?: string, edit?: JobEdit): Promise<Job> {
    const changing = this.store.requeue(id, this.clock(), this.sign(by), edit);
    this.events.emit({ type: "work.expected" });
    const job = changedJob(await changing, id, "requeue");
    this.events.emit({ type: "job.added", jobId: id, queue: job.queue, kind: job.kind });
    return job;
  }

  /** Deletes a job that no worker holds. Throws as {@link Queue.cancel} does. */
  async remove(id: string, by?: string): Promise<Job> {
    const job = changedJob(await this.store.remove(id, this.clock(), this.sign(by)), id, "delete");
    if (job.hasFiles) await this.#sweepFiles();
    return job;
  }

  /**
   * Requeues every dead job, in steps that do not hold up others. Left are those whose unique key a
   * live job has, perhaps one that was just requeued.
   */
  async requeueAllDead(): Promise<{ readonly requeued: number; readonly left: number }> {
    const requeued = await inSteps((limit) =>
      this.store.requeueDead(this.clock(), limit, this.sign())
    );
    return { requeued, left: await this.store.countUnrequeueable() };
  }

  /** Deletes every dead job; returns how many. */
  async purgeDead(): Promise<number> {
    const purged = await inSteps((limit) => this.store.purgeDead(limit, this.sign()));
    await this.#sweepFiles();
    return purged;
  }

  /** Who changed what, newest first. */
  audit(query: AuditQuery): Promise<AuditEntry[]> {
    return this.store.audit(query);
  }

  /** What the audit log is told of a change made now. */
  sign(by = this.#options.actor): Signature | undefined {
    return by === undefined ? undefined : { by, atMs: this.clock() };
  }

  stats(): Promise<Stats> {
    return this.store.stats(this.clock());
  }

  /** What has happened in the last steps of time, oldest first. */
  history(steps: number, stepMs: number): Promise<HistoryStep[]> {
    return this.store.history({ nowMs: this.clock(), steps, stepMs });
  }

  /** Workers that have given a sign of life lately. */
  async workers(): Promise<WorkerStatus[]> {
    const sinceMs = this.clock() - this.#options.workerTimeoutMs;
    return (await this.store.workers()).filter((worker) => worker.heartbeatAtMs >= sinceMs);
  }

  /** How many jobs may wait for a worker; null: any number. */
  get mostWaiting(): number | null {
    return this.#options.maxDepth ?? null;
  }

  /** What cannot be deleted now is deleted later. */
  async #sweepFiles(): Promise<void> {
    try {
      await sweepFiles(this.store, this.clock());
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  /** What a job's input is read with, as of now. */
  parseContext(input: StagedFile | null = null): ParseContext {
    const { clock, newId, maxRetries, timeoutMs, cwd } = this.#options;
    return {
      nowMs: clock(),
      newId,
      maxRetries,
      timeoutMs,
      kinds: this.#kinds,
      cwd,
      input,
      traceparent: this.tracing?.current() ?? null,
    };
  }

  #namesUnknownKind(input: unknown): boolean {
    if (typeof input !== "object" || input === null) return false;
    const { kind } = input as { kind?: unknown };
    return typeof kind === "string" && !this.#kinds.has(kind);
  }
}

const STEP = 1_000;

async function inSteps(step: (limit: number) => Promise<number>): Promise<number> {
  let total = 0;
  while (true) {
    const done = await step(STEP);
    total += done;
    if (done < STEP) return total;
  }
}
