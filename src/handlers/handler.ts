/** What a kind of job is made of. To add a kind, write one file and one row in `registry.ts`. */
import type { Problem } from "../job/errors.ts";
import type { OutputStream, Progress } from "../job/job.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import type { LeasedJob } from "../job/job.ts";
import type { PayloadParser } from "../job/parse.ts";

/** What a handler may use while it runs. */
export interface HandlerContext {
  /** Aborted on timeout, cancel and shutdown; the handler must then really stop its work. */
  readonly signal: AbortSignal;
  /** The process that holds the lease: child processes are marked with it. */
  readonly holder: string;
  readonly settings: HandlerSettings;
  /** Files left in this directory become artifacts of the job; for handlers that leave any. */
  readonly outputDir?: string;
  /** Keeps a piece of output with the attempt. The bytes now belong to the callee. */
  writeOutput(stream: OutputStream, bytes: Uint8Array): void;
  /**
   * Says that a process group exists for this attempt (null: no more), so that it can be killed
   * even if this thread cannot do so.
   */
  setProcessGroup(pgid: number | null): void;
  /** Says how far the attempt has come. May be called often. */
  reportProgress(progress: Progress): void;
  /**
   * Checks a job that is to follow this one. It is added together with this job's success, or not at
   * all.
   */
  enqueue(job: unknown): Promise<FollowUp>;
}

/** A follow-up that will be added, by its id; or what is wrong with it. */
export type FollowUp = { readonly id: string } | { readonly problems: readonly Problem[] };

/** The settings that reach handlers; must survive `postMessage`. */
export interface HandlerSettings {
  readonly outputLimitBytes: number;
  readonly resultLimitBytes: number;
  readonly simulatedWorkMs: number;
  /** Names of environment variables for commands, or `["*"]`. */
  readonly passEnv: readonly string[];
  readonly http: HttpSettings;
}

/** How requests are sent. */
export interface HttpSettings {
  /** Whether addresses may be called that are not public. */
  readonly allowsPrivate: boolean;
  /** For jobs without a timeout of their own. */
  readonly timeoutMs: number;
  /** How much of an answer's body is kept. */
  readonly responseLimitBytes: number;
  /** File with certificates that are trusted too. */
  readonly caFile: string | null;
}

export interface Handler {
  readonly parsePayload: PayloadParser;
  /** Whether it may leave files, and needs a directory for them. */
  readonly leavesFiles?: true;
  /**
   * How many jobs of this kind may be handed to a worker at once: more than 1 only where a job
   * takes microseconds and cannot block.
   */
  chunk(settings: HandlerSettings): number;
  /**
   * Runs one attempt. May return at once for work that takes microseconds. What it throws is a
   * failed attempt.
   */
  run(job: LeasedJob, context: HandlerContext): AttemptEnd | Promise<AttemptEnd>;
}
