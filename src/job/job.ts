/**
 * What a job is: the shapes that every other room speaks of, and the limits on everything that a
 * caller controls. Pure data; knows no storage and no clock.
 */
import type { InvalidByte } from "../lib/utf8.ts";
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
  /** Of keys that callers choose: `key`, `unique_key`. */
  keyLength: 256,
  /** How many jobs one job may wait for. */
  dependencies: 100,
  urlLength: 2_048,
  /** Entries of a list of backoff delays, and of exit codes to retry on. */
  retryList: 100,
} as const;

/**
 * The `run_at` of a job that waits for other jobs: the end of the year 9999. Claims, which look at
 * jobs in the order of their due times, never come to it.
 */
export const HELD_MS = 253_402_300_799_000;

/** A job's input: JSON text, or the bytes of an upload. */
export type Payload = string | Uint8Array;

/** A file that is stored, and waits for the job whose input it becomes. */
export interface StagedFile {
  readonly file: number;
  readonly bytes: number;
  /** The first byte that does not belong to UTF-8 text; null: all of it is text. */
  readonly invalidUtf8: InvalidByte | null;
}

/** Kinds that every process can run; handlers of a user cannot have these names. */
export const BUILT_IN_KINDS: readonly string[] = ["count", "command", "http"];

/** Stands for a file that is not stored yet, to see what else is wrong with its job. */
export const NO_FILE: StagedFile = { file: 0, bytes: 0, invalidUtf8: null };

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
  /** What few jobs have; null for plain ones, which then take the short way. */
  readonly extras: JobExtras | null;
}

/** What a job may have besides what every job has. */
export interface JobExtras {
  readonly options: JobOptions | null;
  /** Whose job it is, where a queue is shared fairly between keys. */
  readonly key: string | null;
  readonly unique: UniqueKey | null;
  readonly after: After | null;
  /** A staged file that becomes the job's input. */
  readonly fileId: number | null;
  /** The name of the schedule that adds it. */
  readonly schedule: string | null;
}

/** Those of plain jobs. */
export const NO_EXTRAS: JobExtras = {
  options: null,
  key: null,
  unique: null,
  after: null,
  fileId: null,
  schedule: null,
};

/** Kept with the job as JSON. */
export interface JobOptions {
  readonly retry?: RetryPolicy;
  /** Its outcome is posted there. */
  readonly callbackUrl?: string;
  readonly uniqueKey?: string;
  /** The schedule that added it, and the time for which it did. */
  readonly schedule?: string;
  readonly scheduledAtMs?: number;
  /** W3C Trace Context of the request that added it. */
  readonly traceparent?: string;
}

/** What to do when a job is added whose unique key another live job has. */
export const ON_CONFLICT = ["return", "replace", "refuse"] as const;
export type OnConflict = (typeof ON_CONFLICT)[number];

/** At most one job with this key is live (not finished) at any time. */
export interface UniqueKey {
  readonly key: string;
  readonly onConflict: OnConflict;
}

/** How the jobs that a job waits for must have ended. */
export const AFTER_CONDITIONS = ["success", "failure", "any"] as const;
export type AfterCondition = (typeof AFTER_CONDITIONS)[number];

/** The jobs that a job waits for; when one ends otherwise, the job is cancelled. */
export interface After {
  readonly ids: readonly string[];
  readonly on: AfterCondition;
}

/** How the delays between attempts grow, and when there is no further attempt. */
export interface RetryPolicy {
  readonly backoff?: Backoff;
  /** 0 to 1: each delay is this much shorter or longer, at random. */
  readonly jitter?: number;
  /** For commands: exit codes that are worth a retry; with others the job is dead at once. */
  readonly exitCodes?: readonly number[];
  /** No retry once so much time has passed since the job was due first, or was requeued. */
  readonly maxAgeMs?: number;
  /** The moment that `maxAgeMs` stands for. */
  readonly untilMs?: number;
}

export type Backoff =
  /** `base ^ n` seconds. */
  | { readonly type: "exponential"; readonly base: number; readonly capMs?: number }
  /** `n * delayMs`. */
  | { readonly type: "linear"; readonly delayMs: number; readonly capMs?: number }
  | { readonly type: "fixed"; readonly delayMs: number }
  /** One after the other; the last for all that follow. */
  | { readonly type: "list"; readonly delaysMs: readonly number[] };

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
  input: "its input could not be written to the work directory",
  error: "the handler threw",
  status: "the HTTP answer had a status other than 2xx",
  connect: "the HTTP request got no answer",
  address: "the HTTP request was to an address that may not be called",
  protocol: "the handler's program said something that is not of the protocol",
  result: "the handler's result is larger than the limit",
  timeout: "the attempt ran longer than its timeout",
  crash: "the worker thread died",
  hang: "the worker thread stopped answering",
  lapse: "the lease ran out: the process died, hung or was cut off",
  cancelled: "a person or a rule stopped it",
  dependency: "a job that it waited for did not end as it should",
  replaced: "another job with the same unique key took its place",
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
  readonly options: JobOptions | null;
  /** The trace context of this attempt, where attempts are traced. */
  readonly traceparent?: string;
  /** Since when it could have been taken. */
  readonly dueAtMs: number;
  /** Whether it has an input file, or files of former attempts. */
  readonly hasFiles: boolean;
  /** Where its input stands while the attempt lasts; missing: it has none. */
  readonly inputPath?: string;
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
  readonly options: JobOptions | null;
  readonly key: string | null;
  /** Whether there are rows elsewhere about the jobs that it waits for. */
  readonly isDependent: boolean;
  readonly hasFiles: boolean;
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

/** How far an attempt has come, by its own account. */
export interface Progress {
  /** From 0 to 1. */
  readonly value: number;
  readonly text: string | null;
}

/** The two streams of a command's output. */
export type OutputStream = "stdout" | "stderr";

/** A piece of output. */
export interface OutputChunk {
  readonly stream: OutputStream;
  readonly bytes: Uint8Array;
}
