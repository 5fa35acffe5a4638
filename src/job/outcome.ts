/**
 * How an attempt ended, and what that does to its job. The worker says what happened
 * ({@link AttemptEnd}); this file alone decides what it means ({@link Outcome}).
 */
import type { Random } from "../lib/clock.ts";
import { backoffDelayMs, type BackoffPolicy, retryDelayMs } from "./backoff.ts";
import type { AttemptError, JobOptions, NewJob } from "./job.ts";

/** What happened to an attempt, as its worker saw it. */
export type AttemptEnd =
  /** `result` is JSON text. The jobs that follow are added together with the success, or not at all. */
  | { readonly type: "succeeded"; readonly result: string; readonly followUps?: readonly NewJob[] }
  | {
    readonly type: "failed";
    readonly error: AttemptError;
    readonly exit?: CommandExit;
    /** A retry is not worth while before so much time has passed. */
    readonly retryAfterMs?: number;
  }
  /** Stopped because somebody cancelled the job, or because its handler gave it up (`error`). */
  | { readonly type: "cancelled"; readonly exit?: CommandExit; readonly error?: AttemptError }
  /** Its handler wants to run again later. */
  | { readonly type: "snoozed"; readonly delayMs: number }
  /** Given back unharmed: shutdown, or never begun. */
  | { readonly type: "released" };

/** How a command's process ended. */
export interface CommandExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Printed altogether, what was not kept included. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
}

/** What becomes of the job. A union, so that a retry without a due time cannot be written. */
export type Outcome =
  | {
    readonly event: "complete";
    readonly result: string;
    readonly followUps?: readonly NewJob[];
  }
  | {
    readonly event: "fail";
    readonly error: AttemptError;
    readonly dueAtMs: number;
    readonly exit?: CommandExit;
  }
  | { readonly event: "bury"; readonly error: AttemptError; readonly exit?: CommandExit }
  | { readonly event: "release" }
  | { readonly event: "snooze"; readonly dueAtMs: number }
  | { readonly event: "abort"; readonly exit?: CommandExit; readonly error?: AttemptError };

/** What becomes of a job whose attempt ended so. */
export function decideOutcome(
  end: AttemptEnd,
  job: Retried,
  times: { nowMs: number; backoff: BackoffPolicy; random: Random },
): Outcome {
  switch (end.type) {
    case "succeeded":
      return end.followUps === undefined
        ? { event: "complete", result: end.result }
        : { event: "complete", result: end.result, followUps: end.followUps };
    case "cancelled":
      return end.error === undefined
        ? { event: "abort", exit: end.exit }
        : { event: "abort", exit: end.exit, error: end.error };
    case "snoozed":
      return { event: "snooze", dueAtMs: times.nowMs + end.delayMs };
    case "released":
      return { event: "release" };
    case "failed": {
      const { error, exit } = end;
      const dueAtMs = retryAtMs(end, job, times);
      return dueAtMs === null
        ? { event: "bury", error, exit }
        : { event: "fail", error, dueAtMs, exit };
    }
  }
}

/** What decides about the retries of a job. */
interface Retried {
  readonly attempts: number;
  readonly maxRetries: number;
  readonly options: JobOptions | null;
}

/** When a job runs again whose attempt failed; null: it does not. */
function retryAtMs(
  { exit, retryAfterMs = 0 }: Extract<AttemptEnd, { type: "failed" }>,
  { attempts, maxRetries, options }: Retried,
  { nowMs, backoff, random }: { nowMs: number; backoff: BackoffPolicy; random: Random },
): number | null {
  const failures = attempts + 1;
  if (failures > maxRetries) return null;
  const policy = options?.retry;
  if (policy === undefined) {
    return nowMs + Math.max(backoffDelayMs(failures, backoff), retryAfterMs);
  }
  const exitCode = exit?.exitCode ?? null;
  if (policy.exitCodes !== undefined && exitCode !== null && !policy.exitCodes.includes(exitCode)) {
    return null;
  }
  const delayMs = retryDelayMs(failures, policy, { standard: backoff, random });
  const dueAtMs = nowMs + Math.max(delayMs, retryAfterMs);
  return policy.untilMs !== undefined && dueAtMs > policy.untilMs ? null : dueAtMs;
}

/**
 * When a job whose lease lapsed may run again. Its backoff counts from the holder's last sign of
 * life and never outlasts the lease: the promise is that it is claimable within lease + reap
 * interval, and waiting for the lease to run out was already a pause.
 */
export function reapedDueAtMs(
  lapsed: { readonly attempts: number; readonly leaseExpiresAtMs: number },
  { nowMs, leaseMs, backoff }: { nowMs: number; leaseMs: number; backoff: BackoffPolicy },
): number {
  const lastSignOfLifeMs = lapsed.leaseExpiresAtMs - leaseMs;
  const dueAtMs = lastSignOfLifeMs + backoffDelayMs(lapsed.attempts + 1, backoff);
  return Math.max(nowMs, Math.min(dueAtMs, lapsed.leaseExpiresAtMs));
}
