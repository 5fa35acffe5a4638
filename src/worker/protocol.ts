/**
 * The messages between the supervisor and a worker thread. Leases travel with everything, so that
 * both sides can tell an old attempt from a new one.
 */
import type { FollowUp, HandlerSettings } from "../handlers/handler.ts";
import type { ArtifactLimits, LeftFiles } from "../handlers/output_dir.ts";
import type { UserHandlers } from "../handlers/program.ts";
import type { Lease, LeasedJob, OutputChunk, Progress } from "../job/job.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import type { Columns } from "../lib/columns.ts";

/** Probabilities from 0 to 1 that an attempt is made to go wrong, for tests. */
export interface Faults {
  readonly fail: number;
  readonly crash: number;
  readonly hang: number;
}

/** Why a running attempt is stopped. */
export type AbortReason = "cancel" | "shutdown" | "lease-lost";

export type ToWorker =
  /** The first message. */
  | {
    readonly type: "init";
    /** Names the process: children are marked with it. */
    readonly holder: string;
    readonly heartbeatMs: number;
    readonly settings: HandlerSettings;
    /** The directory of this process for the files of attempts. */
    readonly workDir: string;
    readonly artifacts: ArtifactLimits;
    readonly handlers: UserHandlers;
    /** Carried by every handler program that the thread starts. */
    readonly mark: string;
    readonly faults: Faults;
    /** One Float64: the `seq` of the job that runs now, 0 when none does. Outlives the thread. */
    readonly running: SharedArrayBuffer;
    /** One Int32: 1 once the supervisor has given the thread up. Only an injected hang looks. */
    readonly givenUp: SharedArrayBuffer;
  }
  | { readonly type: "run"; readonly jobs: Columns<LeasedJob> }
  /** Answered with a beat at once, as is an abort. */
  | { readonly type: "probe" }
  | { readonly type: "abort"; readonly lease: Lease; readonly reason: AbortReason }
  /** From the next job on. */
  | { readonly type: "handlers"; readonly handlers: UserHandlers }
  /** The answer to `enqueue`. */
  | { readonly type: "enqueued"; readonly ref: number; readonly followUp: FollowUp }
  /** End the handler programs, each within its grace; answered with `closed`. */
  | { readonly type: "close" };

/** An attempt that is over. */
export interface AttemptReport extends Lease {
  readonly end: AttemptEnd;
  readonly durationMs: number;
  /** Output that was not sent before. */
  readonly output?: readonly OutputChunk[];
  /** Files that it left. */
  readonly left?: LeftFiles;
}

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "beat" }
  /** The handler of a job that takes longer than a moment has begun. */
  | { readonly type: "begun"; readonly lease: Lease }
  | { readonly type: "output"; readonly lease: Lease; readonly chunks: readonly OutputChunk[] }
  /** The process group of the attempt's command; null: it is gone. */
  | { readonly type: "group"; readonly lease: Lease; readonly pgid: number | null }
  /** A handler program has started, or is gone with all that it started. */
  | { readonly type: "program"; readonly pgid: number; readonly isAlive: boolean }
  /** Something is wrong with a handler program while no job runs in it. */
  | { readonly type: "trouble"; readonly message: string }
  | { readonly type: "progress"; readonly lease: Lease; readonly progress: Progress }
  /** A job that is to follow the attempt; answered with `enqueued` under the same `ref`. */
  | {
    readonly type: "enqueue";
    readonly lease: Lease;
    readonly ref: number;
    readonly job: unknown;
  }
  | { readonly type: "closed" }
  | { readonly type: "ended"; readonly attempts: Columns<AttemptReport> }
  /** The thread is about to die of this. */
  | { readonly type: "crashed"; readonly message: string };
