/**
 * The seam between the queue and whatever keeps its data. Every backend implements
 * {@link JobStore} and passes the shared suite in `tests/store/`. Asynchronous throughout, although
 * SQLite is not: a networked store follows. What is not about the life of jobs stands in files of
 * its own; this one hands their words on, so that there is one place to import from.
 *
 * Invariants: each method is one transaction; time is always an argument; everything written for an
 * attempt is accepted only under that attempt's lease. Methods throw `StoreUnavailableError` when
 * the store cannot be used now; then nothing of the call was written.
 */
import type { Clock } from "../lib/clock.ts";
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
import type { LimitsChange } from "../job/limits.ts";
import type { Outcome } from "../job/outcome.ts";
import type { SearchTerm } from "../job/search.ts";
import type { JobState } from "../job/state.ts";
import type { Addition, AddOptions } from "./additions.ts";
import type { AuditStore, Signature } from "./audit.ts";
import type { DeliveryStore } from "./deliveries.ts";
import type { FigureStore, QueueRules } from "./figures.ts";
import type { Artifacts, FileStore } from "./files.ts";
import type { JournalStore } from "./journal.ts";
import type { ProcessStore } from "./processes.ts";
import type { PruneStore } from "./prune.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { TokenStore } from "./tokens.ts";

export * from "./additions.ts";
export * from "./audit.ts";
export * from "./figures.ts";
export * from "./files.ts";
export * from "./journal.ts";
export * from "./processes.ts";
export * from "./tokens.ts";

/** Durable storage for jobs. */
export interface JobStore
  extends
    FileStore,
    ScheduleStore,
    DeliveryStore,
    ProcessStore,
    FigureStore,
    JournalStore,
    AuditStore,
    TokenStore,
    PruneStore,
    AsyncDisposable {
  /**
   * What time it is for all who share the store: by the clock of the machine, or, where there are
   * several, by that of the server. Leases are compared across processes, so each goes by this one.
   */
  readonly clock: Clock;

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
   * between queues in turn. A job with files goes to a worker alone. Never waits for jobs. The
   * request is a function so that a store that gathers many calls into one commit asks as late as
   * possible, when it is known who is free.
   */
  claim(request: () => ClaimRequest): Promise<Claim>;

  /**
   * Marks attempts as running, soon: this alone may wait for a moment to share another commit, and an
   * attempt that ends first is never seen running. Leases that are lost are left alone.
   */
  begin(leases: readonly Lease[], holder: string, nowMs: number): Promise<void>;

  /** Ends attempts. A lost lease is a result, not an error: it is expected when a worker stalls. */
  settle(ended: readonly EndedAttempt[], holder: string, nowMs: number): Promise<Settlement>;

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
  /** How many dead jobs cannot be requeued now: a live job has their unique key. */
  countUnrequeueable(): Promise<number>;
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

  configAll(): Promise<Map<string, string>>;
  configSet(key: string, value: string, signed?: Signature): Promise<void>;
  /** Whether the key was set. */
  configUnset(key: string, signed?: Signature): Promise<boolean>;

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
}

/** An alert that begins or ends, and the webhook that tells of it. */
export interface AlertChange {
  readonly name: string;
  readonly isFiring: boolean;
  readonly event: string;
  readonly url: string;
  readonly body: string;
}

/** Whether a write under a lease was accepted. */
export type Settled = "settled" | "lease-lost";

/** What became of attempts that have ended. */
export interface Settlement {
  /** For each attempt, in their order. */
  readonly answers: readonly Settled[];
  /** The follow-ups that were added; for others there was a job with their id or unique key. */
  readonly added: readonly NewJob[];
}

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

/** What it leaves out stays as it is. */
export interface QueueChange extends LimitsChange {
  readonly isPaused?: boolean;
}

export type { AttemptError };
