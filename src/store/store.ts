/**
 * The seam between the queue and whatever keeps its data. Every backend implements
 * {@link JobStore} and passes the shared suite in `tests/store/`. Asynchronous throughout, although
 * SQLite is not: a networked store follows.
 *
 * Invariants: each method is one transaction; time is always an argument; everything written for an
 * attempt is accepted only under that attempt's lease. Methods throw `StoreUnavailableError` when
 * the store cannot be used now; then nothing of the call was written.
 */
import type {
  AfterCondition,
  Attempt,
  AttemptError,
  Job,
  Lease,
  LeasedJob,
  NewJob,
  OutputChunk,
  OutputStream,
  Payload,
  Progress,
} from "../job/job.ts";
import type { BackoffPolicy } from "../job/backoff.ts";
import type { LimitsChange, QueueLimits } from "../job/limits.ts";
import type { Outcome } from "../job/outcome.ts";
import type { SearchTerm } from "../job/search.ts";
import type { Scope } from "../job/scope.ts";
import type { JobState } from "../job/state.ts";
import type { DeliveryStore } from "./deliveries.ts";
import type { PruneStore } from "./prune.ts";
import type { ScheduleStore } from "./schedules.ts";

/** Durable storage for jobs. */
export interface JobStore extends ScheduleStore, DeliveryStore, PruneStore, AsyncDisposable {
  /**
   * Inserts all or none. Ids that exist already are named in `duplicates`, and then nothing is
   * inserted; nor when more than `mostWaiting` jobs would then wait for a worker, nor when `request`
   * was answered before.
   */
  add(
    jobs: readonly NewJob[],
    nowMs: number,
    options?: AddOptions,
  ): Promise<Addition>;

  /**
   * Leases due jobs: within a queue by priority (higher first), then due time, then insertion;
   * between queues in turn. A job with files goes to a worker alone. Never waits for jobs. The request is a function so that a store that
   * gathers many calls into one commit asks as late as possible, when it is known who is free.
   */
  claim(request: () => ClaimRequest): Promise<Claim>;

  /**
   * Marks attempts as running, soon: this alone may wait for a moment to share another commit, and an
   * attempt that ends first is never seen running. Leases that are lost are left alone.
   */
  begin(leases: readonly Lease[], holder: string, nowMs: number): Promise<void>;

  /** Ends attempts. A lost lease is a result, not an error: it is expected when a worker stalls. */
  settle(ended: readonly EndedAttempt[], holder: string, nowMs: number): Promise<Settled[]>;

  /** Prolongs leases. */
  renew(
    leases: readonly Lease[],
    holder: string,
    times: { nowMs: number; expiresAtMs: number },
  ): Promise<Settled[]>;

  /** Keeps a piece of output of a running attempt, if its lease still holds. */
  appendOutput(
    lease: Lease,
    holder: string,
    chunks: readonly OutputChunk[],
  ): Promise<Settled>;

  /** Notes how far a running attempt has come, if its lease still holds. */
  saveProgress(
    lease: Lease,
    holder: string,
    progress: StoredProgress,
  ): Promise<Settled>;
  /** What the attempt under this lease has said last; null: nothing. */
  progress(lease: Lease): Promise<StoredProgress | null>;

  /**
   * Takes back leases that have expired, and those of `deadHolders` at once. Each counts as a
   * failed attempt.
   */
  reap(request: ReapRequest): Promise<ReapedJob[]>;

  /**
   * Undoes what a clock that was set back does to waiting jobs: those that were due before are due
   * now, and retries wait for their backoff from now on. What waits for a time that somebody named
   * goes on waiting for it. Returns how many jobs it moved; harmless when nothing was set.
   */
  rebase(nowMs: number): Promise<number>;

  /** The running attempts of this process that somebody asked to stop. */
  cancelRequests(holder: string): Promise<Lease[]>;

  // Changes that somebody asks for. Signed ones stand in the audit log, in the same transaction.

  /** Cancels a waiting job, or asks the holder of a running one to stop it. */
  cancel(id: string, nowMs: number, signed?: Signature): Promise<Change>;
  /** Gives a dead or cancelled job a fresh set of attempts, due now unless said otherwise. */
  requeue(id: string, nowMs: number, signed?: Signature, edit?: JobEdit): Promise<Change>;
  /** Deletes a job that no worker holds, with its attempts and output. */
  remove(id: string, nowMs: number, signed?: Signature): Promise<Change>;
  /** Requeues dead jobs, at most `limit` of them; returns how many. */
  requeueDead(nowMs: number, limit: number, signed?: Signature): Promise<number>;
  /** Deletes dead jobs, at most `limit` of them; returns how many. */
  purgeDead(limit: number, signed?: Signature): Promise<number>;
  /** The jobs that a job waits for, or has waited for. */
  dependencies(seq: number): Promise<Dependency[]>;

  find(id: string): Promise<Job | null>;
  payload(seq: number): Promise<Payload>;
  /** A page of jobs, newest first. */
  list(query: ListQuery): Promise<JobPage>;
  /**
   * Jobs that the terms describe, newest first. Looks for a limited time: a page may come with fewer
   * jobs than asked for and `nextSeq` set, which says that the search is not over.
   */
  search(query: SearchQuery): Promise<JobPage>;
  /** Attempts that ended without success, oldest first. */
  attempts(seq: number): Promise<Attempt[]>;
  /** Output of one attempt in the order in which it came. */
  output(query: OutputQuery): Promise<StoredChunk[]>;

  // Files come into being piece by piece. Until the transaction that adds their job, or ends the
  // attempt that left them, they belong to nobody, and are swept when nothing is added for long.

  /**
   * Begins a file that nobody has yet.
   *
   * @throws {StoreUnavailableError} too when there is not enough room for it.
   */
  beginFile(file: NewFile, nowMs: number): Promise<number>;
  /** Adds the next piece. False: the file was given up, or has an owner. Throws likewise. */
  appendFile(piece: FilePiece, nowMs: number): Promise<boolean>;
  /** Says that a file that nobody has will never have an owner. */
  giveUpFile(file: number): Promise<void>;
  /** The files of a job, its input first. */
  files(seq: number): Promise<StoredFile[]>;
  /** A piece of a file, counted from 0; null: there is none. */
  filePiece(file: number, n: number): Promise<Uint8Array | null>;
  /**
   * Deletes a little of what nobody has and nobody has added to since then. Whether there may be
   * more to delete.
   */
  sweepFiles(idleSinceMs: number): Promise<boolean>;

  stats(nowMs: number): Promise<Stats>;
  /** What has happened in each of the last steps of time, oldest first; at most a day is kept. */
  history(query: HistoryQuery): Promise<HistoryStep[]>;

  /**
   * Says something of a queue, which need not have jobs. Claims of all processes obey it from then
   * on; what runs goes on. Returns all that is said of it then.
   */
  changeQueue(
    queue: string,
    change: QueueChange,
    nowMs: number,
    signed?: Signature,
  ): Promise<QueueRules>;
  /** Writes down, or refreshes, the kinds for which this process has handlers of a user. */
  saveKinds(kinds: readonly string[], nowMs: number): Promise<void>;
  /** Every kind that some process has had a handler for, lately or a while ago. */
  kinds(): Promise<string[]>;

  /** Writes down, or refreshes, what this process says of its workers. */
  saveWorkers(workers: readonly WorkerRecord[], nowMs: number): Promise<void>;
  /** Forgets the workers of a process. */
  removeWorkers(holder: string): Promise<void>;
  /** Everything that processes have said of their workers, with the job each one runs. */
  workers(): Promise<WorkerStatus[]>;

  configAll(): Promise<Map<string, string>>;
  configSet(key: string, value: string, signed?: Signature): Promise<void>;
  /** Whether the key was set. */
  configUnset(key: string, signed?: Signature): Promise<boolean>;

  /** Keeps a token. False: another one has its name. */
  createToken(token: NewToken, signed?: Signature): Promise<boolean>;
  /** Every token, oldest first, expired ones too. */
  tokens(): Promise<StoredToken[]>;
  /** Deletes a token; returns it, or null when there is none with this id. */
  revokeToken(id: string, signed?: Signature): Promise<StoredToken | null>;
  /** Notes when tokens were used last. */
  useTokens(ids: readonly string[], nowMs: number): Promise<void>;

  /** Who changed what, newest first. The last {@link AUDIT_KEPT} entries are kept. */
  audit(query: AuditQuery): Promise<AuditEntry[]>;
  /** Writes into the audit log what was done to something that is not in the store. */
  note(action: "worker.drain", target: string, signed?: Signature): Promise<void>;

  /**
   * Says that somebody follows what happens until then, so that it is written down. Returns the id
   * after which nothing is missing.
   */
  follow(untilMs: number): Promise<number>;
  /** What was written down after the batch with this id, oldest first. */
  journal(query: { readonly afterId: number; readonly limit: number }): Promise<JournalPage>;

  /** Adds to sums kept for monitoring. */
  addMetrics(sums: readonly MetricSum[]): Promise<void>;
  metrics(): Promise<MetricSum[]>;

  /** The names of the alerts that fire now. */
  alerts(): Promise<string[]>;
  /** An alert begins or ends, and somebody is to be told. False: that has been said already. */
  changeAlert(change: AlertChange, nowMs: number): Promise<boolean>;

  /** Proves that the store can be written, by writing. */
  probe(nowMs: number): Promise<void>;

  /**
   * Calls back soon after another process has changed the store, or this one has made jobs due in
   * passing: such as those that waited for a job that has ended.
   */
  watch(onChange: () => void): Disposable;
  /** Calls back after each commit of this process that has written to the journal. */
  watchOwn(onTold: () => void): Disposable;
}

/** The sums that are kept for monitoring. */
export type MetricName =
  | "job_wait_seconds"
  | "job_duration_seconds"
  | "jobs_completed_total"
  | "jobs_failed_total"
  | "worker_restarts_total";

/** An alert that begins or ends, and the webhook that tells of it. */
export interface AlertChange {
  readonly name: string;
  readonly isFiring: boolean;
  readonly event: string;
  readonly url: string;
  readonly body: string;
}

export interface MetricSum {
  readonly name: MetricName;
  /** A queue or a reason. */
  readonly label: string;
  /** Of a histogram: the upper end of a bucket, or `sum`; of a counter: empty. */
  readonly part: string;
  readonly value: number;
}

/** What can happen to a job. */
export type JobHappening =
  | "job.added"
  | "job.started"
  | "job.processing"
  | "job.completed"
  | "job.failed"
  | "job.dead"
  | "job.cancelled"
  | "job.released"
  | "job.snoozed"
  | "job.requeued"
  | "job.deleted";

/** An entry of the journal. */
export type JournalEvent =
  | {
    readonly type: JobHappening;
    readonly jobId: string;
    readonly queue: string;
    readonly kind: string;
    /** As it is now; of a deleted job, as it was. */
    readonly state: JobState;
    readonly worker: string | null;
    /** The attempt that it is about, counted from 1; 0 before the first. */
    readonly attempt: number;
    readonly error: AttemptError | null;
  }
  | { readonly type: "queue.changed" | "schedule.changed"; readonly name: string }
  /** Here something is missing: nobody followed. */
  | { readonly type: "gap" };

/** What one commit did. */
export interface JournalBatch {
  /** Rises by one. */
  readonly id: number;
  readonly atMs: number;
  readonly events: readonly JournalEvent[];
}

export interface JournalPage {
  readonly batches: readonly JournalBatch[];
  /** Of those still kept; null: none is. */
  readonly oldestId: number | null;
}

export interface AddOptions {
  readonly mostWaiting: number | null;
  /** For those who repeat a request when they have not got its answer. */
  readonly request?: RequestKey | null;
}

/** What a caller calls a request of theirs. */
export interface RequestKey {
  readonly caller: string;
  readonly key: string;
  /** A hash of what makes this request different from others. */
  readonly fingerprint: Uint8Array;
}

/** A job that was added, or the one that stands for it. */
export interface AddedJob {
  readonly id: string;
  readonly state: JobState;
  /** False: a live job with the same unique key was there already, and this is that one. */
  readonly isNew: boolean;
}

/** What became of jobs that were to be added. */
export interface Addition {
  readonly duplicates: readonly string[];
  /** Ids of jobs that were to be waited for and do not exist; then nothing is inserted. */
  readonly missing?: readonly string[];
  /** Live jobs whose unique keys are wanted by jobs that may not have them; likewise. */
  readonly taken?: readonly LiveJob[];
  /** By position: live jobs with the same unique key, which stand for the ones not inserted. */
  readonly existing?: ReadonlyMap<number, LiveJob>;
  /** By position: jobs that were cancelled at once, since a job to wait for has ended otherwise. */
  readonly cancelled?: ReadonlySet<number>;
  /** The same request came before, and then this became of its jobs. */
  readonly replay?: readonly AddedJob[];
  /** A request with this key came before, which was another one. */
  readonly isRequestDifferent?: boolean;
  /** So many jobs wait that these would be too many; missing: the limit was not in the way. */
  readonly waiting?: number;
}

/** Whether nothing was inserted, because something spoke against it. */
export function isRefused(addition: Addition): boolean {
  const { duplicates, missing = [], taken = [], waiting, isRequestDifferent } = addition;
  return duplicates.length + missing.length + taken.length > 0 || waiting !== undefined ||
    isRequestDifferent === true;
}

/** What became of each job of a call that was not refused. */
export function whatBecame(
  jobs: readonly NewJob[],
  { existing, cancelled, replay }: Addition,
): readonly AddedJob[] {
  if (replay !== undefined) return replay;
  return jobs.map(({ id }, index) => {
    const live = existing?.get(index);
    if (live !== undefined) return { id: live.id, state: live.state, isNew: false };
    return { id, state: cancelled?.has(index) ? "cancelled" : "pending", isNew: true };
  });
}

/** The job that has a unique key now. */
export interface LiveJob {
  readonly id: string;
  readonly state: JobState;
  readonly key: string;
}

/** Who asks for a change, and when. */
export interface Signature {
  readonly by: string;
  readonly atMs: number;
}

/** A token that is to be kept: its hash, never the secret itself. */
export interface NewToken {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the secret. */
  readonly hash: Uint8Array;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  /** Null: never. */
  readonly expiresAtMs: number | null;
}

export interface StoredToken extends NewToken {
  readonly lastUsedAtMs: number | null;
}

/** How many entries of the audit log are kept. */
export const AUDIT_KEPT = 50_000;

export type AuditAction =
  | "cancel"
  | "requeue"
  | "delete"
  | "dlq.retry"
  | "dlq.purge"
  | "config.set"
  | "config.unset"
  | "queue.pause"
  | "queue.resume"
  | "queue.set"
  | "token.create"
  | "token.revoke"
  | "schedule.add"
  | "schedule.replace"
  | "schedule.run"
  | "schedule.pause"
  | "schedule.resume"
  | "schedule.remove"
  | "webhook.replay"
  | "webhook.rotate"
  | "prune"
  | "worker.drain";

/** `requested`: a running job was asked to stop; `refused`: its state did not allow the change. */
export type AuditOutcome = "done" | "requested" | "refused";

export interface AuditEntry {
  /** Rises by one with every entry. */
  readonly seq: number;
  readonly atMs: number;
  readonly by: string;
  readonly action: AuditAction;
  /** A job's id, a queue's or a setting's name, a token's id and name, or how many jobs. */
  readonly target: string;
  readonly outcome: AuditOutcome;
  readonly detail: string | null;
}

export interface AuditQuery {
  readonly limit: number;
  /** Only entries older than this one. */
  readonly beforeSeq?: number;
}

/** What a file is to its job. */
export type FileRole = "input" | "artifact";

export interface NewFile {
  readonly role: FileRole;
  readonly name: string;
  readonly mediaType: string | null;
  /** As far as is known; 0: not at all. */
  readonly expectedBytes: number;
}

export interface FilePiece {
  readonly file: number;
  /** Counted from 0; each is {@link FILE_PIECE_BYTES} long, but for the last one. */
  readonly n: number;
  readonly bytes: Uint8Array;
}

/** How long the pieces of a file are. */
export const FILE_PIECE_BYTES = 512 * 1024;

/** A file of a job. */
export interface StoredFile {
  readonly file: number;
  readonly role: FileRole;
  /** The attempt that left it; null for the input. */
  readonly attempt: number | null;
  readonly token: number | null;
  /** Null: several files that were not kept, of which `problem` tells. */
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly bytes: number;
  /** Why it was not kept; null: it was. */
  readonly problem: string | null;
  readonly createdAtMs: number;
}

/** What an attempt has left. It takes the place of what earlier attempts of its job have left. */
export interface Artifacts {
  /** Counted from 1. */
  readonly attempt: number;
  /** Files that were stored. */
  readonly kept: readonly {
    readonly file: number;
    readonly name: string;
    readonly bytes: number;
  }[];
  readonly dropped: readonly DroppedFile[];
}

/** A file that was not kept, and why. */
export interface DroppedFile {
  /** Null: several files. */
  readonly name: string | null;
  readonly bytes: number;
  readonly problem: string;
}

/** Whether a write under a lease was accepted. */
export type Settled = "settled" | "lease-lost";

/** What a process asks for when it claims. */
export interface ClaimRequest {
  readonly holder: string;
  readonly nowMs: number;
  readonly leaseExpiresAtMs: number;
  /** Labels of the workers that are free, one entry for each slot to fill. */
  readonly slots: readonly string[];
  /** How many jobs of a kind may share one slot; kinds that are not named get a slot each. */
  readonly chunk: Readonly<Record<string, number>>;
  /** Stops filling a slot once its payloads reach this many bytes. */
  readonly chunkBytes: number;
  /**
   * The kinds that this process runs; jobs of others are passed over, at no cost however many they
   * are. Missing: it runs all.
   */
  readonly kinds?: readonly string[];
}

/** The last that an attempt has said of how far it is, and when. */
export interface StoredProgress extends Progress {
  readonly atMs: number;
}

/** Jobs for one free worker. */
export interface SlotJobs {
  readonly worker: string;
  readonly jobs: readonly LeasedJob[];
}

export interface Claim {
  readonly slots: readonly SlotJobs[];
  /** True when due jobs may be left: claim again as soon as a worker is free. */
  readonly isMoreDue: boolean;
  /**
   * True when due jobs may be left that must not start before a running one ends: claim again when
   * one does.
   */
  readonly isHeldBack: boolean;
  /** When the next waiting job falls due, or a rate limit lets one start; null: none waits. */
  readonly nextDueAtMs: number | null;
}

/** An attempt's end, with the output not yet appended. */
export interface EndedAttempt extends Lease {
  readonly outcome: Outcome;
  readonly output?: readonly OutputChunk[];
  /** Missing: those of earlier attempts stay. */
  readonly artifacts?: Artifacts;
}

export interface ReapRequest {
  readonly nowMs: number;
  readonly leaseMs: number;
  readonly backoff: BackoffPolicy;
  /** How long after their expiry leases still hold; not at all unless given. */
  readonly graceMs?: number;
  /** Processes that are known to be gone. */
  readonly deadHolders: readonly string[];
  readonly limit: number;
}

export interface ReapedJob {
  readonly id: string;
  readonly queue: string;
  readonly worker: string | null;
  readonly state: JobState;
  readonly attempts: number;
}

/** The answer to a change asked for by a person. */
export type Change =
  /** Done; `job` is the job as it is now (for `remove`: as it was). */
  | { readonly result: "changed"; readonly job: Job }
  /** A running job was asked to stop; its holder will do so. */
  | { readonly result: "requested"; readonly job: Job }
  /** Its state does not allow it. */
  | {
    readonly result: "refused";
    readonly job: Job;
    /** It would be allowed, were its unique key not another live job's. */
    readonly isKeyTaken?: boolean;
  }
  | { readonly result: "missing" };

/** What is changed in a job that is to run again; what is left out stays as it was. */
export interface JobEdit {
  readonly payload?: Payload;
  readonly priority?: number;
  readonly maxRetries?: number;
  /** Null: no limit. */
  readonly timeoutMs?: number | null;
  /** When it falls due; now unless given. */
  readonly dueAtMs?: number;
}

/** A job that another one waits for. */
export interface Dependency {
  readonly id: string;
  readonly condition: AfterCondition;
  /** Whether it has ended as it should. */
  readonly isMet: boolean;
  /** When the waiting job runs once all are met. */
  readonly runAtMs: number;
}

export interface ListQuery {
  readonly states?: readonly JobState[];
  readonly queue?: string;
  readonly kind?: string;
  readonly limit: number;
  /** Only jobs inserted before this one. */
  readonly beforeSeq?: number;
}

export interface SearchQuery {
  readonly terms: readonly SearchTerm[];
  readonly limit: number;
  /** Only jobs inserted before this one. */
  readonly beforeSeq?: number;
  /** How long to look before a page comes as it is. */
  readonly patienceMs?: number;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  /** Pass as `beforeSeq` for the next page; null: this was the last. */
  readonly nextSeq: number | null;
}

export interface OutputQuery extends Lease {
  readonly stream?: OutputStream;
  /** Only chunks after this position. */
  readonly afterChunk?: number;
}

export interface StoredChunk extends OutputChunk {
  /** Position among all chunks; rises. */
  readonly chunk: number;
}

/** What is said of a queue. */
export interface QueueRules extends QueueLimits {
  /** Since when its jobs are not claimed; null: they are. */
  readonly pausedAtMs: number | null;
}

/** What it leaves out stays as it is. */
export interface QueueChange extends LimitsChange {
  readonly isPaused?: boolean;
}

/** Numbers of jobs by state. */
export type StateCounts = Record<JobState, number>;

export interface Stats {
  readonly counts: StateCounts;
  readonly queues: readonly QueueStats[];
  /** Jobs finished in the last minute, by what became of them. */
  readonly lastMinute: Throughput;
  /** The same for the last hour. */
  readonly lastHour: Throughput;
  /** When the job that is due for the longest time fell due; null: none is due. */
  readonly oldestReadyAtMs: number | null;
}

/** Queues that hold jobs or of which something was said. */
export interface QueueStats {
  readonly queue: string;
  readonly counts: StateCounts;
  readonly rules: QueueRules;
  /** As in {@link Stats}, of this queue. */
  readonly oldestReadyAtMs: number | null;
}

export interface Throughput {
  readonly added: number;
  readonly completed: number;
  /** Attempts that failed, those of jobs that died included. */
  readonly failedAttempts: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** Steps of time, the last of which is the one that has begun. */
export interface HistoryQuery {
  readonly nowMs: number;
  readonly steps: number;
  /** A multiple of 10 s. */
  readonly stepMs: number;
}

/** What has happened from then on for the length of a step. */
export interface HistoryStep extends Throughput {
  readonly fromMs: number;
}

/** What a process says of one of its workers. */
export interface WorkerRecord {
  readonly holder: string;
  readonly label: string;
  readonly pid: number;
  /** Tells machines, boots and process namespaces apart: see `lib/process_identity.ts`. */
  readonly host: string;
  /** When the process started, in units of its operating system: tells reused pids apart. */
  readonly processStart: string;
  readonly role: "serve" | "worker";
  readonly status: "idle" | "busy" | "draining";
  readonly restarts: number;
  readonly startedAtMs: number;
}

export interface WorkerStatus extends WorkerRecord {
  readonly heartbeatAtMs: number;
  /** The job that it runs now. */
  readonly jobId: string | null;
}

export type { AttemptError };
