/**
 * What a job is: the shapes that every other room speaks of, and the limits on everything that a
 * caller controls. Pure data; knows no storage and no clock.
 */
import type { JobState } from "./state.ts";

/** Limits on what a caller may ask for. Every one is checked in `parse.ts`. */
export const LIMITS = {
  idLength: 64,
  nameLength: 64,
  /** Higher runs first; negative is allowed. */
  priority: 1_000_000,
  maxRetries: 1_000,
  /** 30 days. */
  timeoutMs: 30 * 86_400_000,
  /** Ten years. */
  delayMs: 3_650 * 86_400_000,
  /** The kernel refuses a single argument longer than 128 KiB, its closing NUL included. */
  commandBytes: 128 * 1024 - 1,
  commandArguments: 1_000,
  pathLength: 4_096,
  batchJobs: 10_000,
  listPage: 1_000,
  listPageDefault: 50,
} as const;

/** A job's input: JSON text, or the bytes of an upload. */
export type Payload = string | Uint8Array;

/** A job that is to be stored. */
export interface NewJob {
  readonly id: string;
  /** False when the caller chose the id, which may therefore exist already. */
  readonly isIdFresh: boolean;
  readonly queue: string;
  readonly kind: string;
  readonly payload: Payload;
  /** Higher runs first. */
  readonly priority: number;
  readonly runAtMs: number;
  /** Retries after the first attempt. */
  readonly maxRetries: number;
  /** For one attempt; null: no limit. */
  readonly timeoutMs: number | null;
}

/** Why an attempt did not succeed. */
export interface AttemptError {
  /** Stable word: see {@link ERROR_CODES}. */
  readonly code: AttemptErrorCode;
  /** One sentence for people. */
  readonly message: string;
}

export const ERROR_CODES = {
  exit: "the command ended with an exit code other than 0",
  signal: "the command was ended by a signal",
  spawn: "the command could not be started",
  error: "the handler threw",
  timeout: "the attempt ran longer than its timeout",
  crash: "the worker thread died",
  hang: "the worker thread stopped answering",
  lapse: "the lease ran out: the process died, hung or was cut off",
  cancelled: "a person or a rule stopped it",
} as const;

export type AttemptErrorCode = keyof typeof ERROR_CODES;

/** Proof of owning one attempt. The token rises with every claim of the job. */
export interface Lease {
  readonly seq: number;
  readonly token: number;
}

/** A job as claimed: what a worker needs to run it, and no more. */
export interface LeasedJob extends Lease {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly payload: Payload;
  /** Failed attempts so far; the attempt now leased is number `attempts + 1`. */
  readonly attempts: number;
  readonly maxRetries: number;
  readonly timeoutMs: number | null;
}

/** A stored job, without its payload. */
export interface Job {
  /** Order of insertion; never used twice. */
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly state: JobState;
  readonly priority: number;
  readonly runAtMs: number;
  /** Failed attempts so far. */
  readonly attempts: number;
  readonly maxRetries: number;
  readonly timeoutMs: number | null;
  /** The process that holds, or last held, the lease. */
  readonly leaseHolder: string | null;
  /** Label of the worker (`w-1`) that holds, or last held, the lease. */
  readonly worker: string | null;
  readonly token: number;
  readonly leaseExpiresAtMs: number | null;
  /** When somebody asked to stop the running attempt. */
  readonly cancelRequestedAtMs: number | null;
  readonly lastError: AttemptError | null;
  /** JSON text. */
  readonly result: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** When the latest attempt was leased. */
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
}

/**
 * An attempt that ended without success. The attempt that runs now, or that succeeded, stands on
 * the job itself and is not written twice.
 */
export interface Attempt {
  readonly token: number;
  /** Counted from 1; starts again at 1 when the job is requeued. */
  readonly attempt: number;
  readonly worker: string | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number;
  readonly outcome: "failed" | "cancelled";
  readonly error: AttemptError;
  /** For commands that were started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Printed altogether; more than what is kept when the output limit cut it. */
  readonly stdoutBytes: number | null;
  readonly stderrBytes: number | null;
}

/** The two streams of a command's output. */
export type OutputStream = "stdout" | "stderr";

/** A piece of output. */
export interface OutputChunk {
  readonly stream: OutputStream;
  readonly bytes: Uint8Array;
}
