/**
 * How an attempt ended, and what that does to its job. The worker says what happened
 * ({@link AttemptEnd}); this file alone decides what it means ({@link Outcome}).
 */
import type { Random } from "../lib/clock.ts";
import { backoffDelayMs, type BackoffPolicy, retryDelayMs } from "./backoff.ts";
import type { AttemptError, JobOptions, NewJob, RetryPolicy } from "./job.ts";

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
      const retry = decideRetry(end, job, times);
      return "dueAtMs" in retry
        ? { event: "fail", error, dueAtMs: retry.dueAtMs, exit }
        : { event: "bury", error: explained(error, retry.refusal), exit };
    }
  }
}

/** What decides about the retries of a job. */
interface Retried {
  readonly attempts: number;
  readonly maxRetries: number;
  readonly options: JobOptions | null;
}

/** When a job runs again, or why it does not although it has retries left (null: it has none). */
type Retry = { readonly dueAtMs: number } | { readonly refusal: string | null };

function decideRetry(
  { exit, retryAfterMs = 0 }: Extract<AttemptEnd, { type: "failed" }>,
  { attempts, maxRetries, options }: Retried,
  { nowMs, backoff, random }: { nowMs: number; backoff: BackoffPolicy; random: Random },
): Retry {
  const failures = attempts + 1;
  if (failures > maxRetries) return { refusal: null };
  const policy = options?.retry;
  if (policy === undefined) {
    return { dueAtMs: nowMs + Math.max(backoffDelayMs(failures, backoff), retryAfterMs) };
  }
  const exitCode = exit?.exitCode ?? null;
  if (policy.exitCodes !== undefined && exitCode !== null && !policy.exitCodes.includes(exitCode)) {
    return { refusal: `only the exit codes ${policy.exitCodes.join(", ")} are` };
  }
  const delayMs = retryDelayMs(failures, policy, { standard: backoff, random });
  return withinAge(nowMs + Math.max(delayMs, retryAfterMs), policy);
}

function withinAge(dueAtMs: number, { untilMs }: RetryPolicy): Retry {
  if (untilMs === undefined || dueAtMs <= untilMs) return { dueAtMs };
  return { refusal: "the job would be older than its max_age" };
}

function explained(error: AttemptError, refusal: string | null): AttemptError {
  if (refusal === null) return error;
  return { code: error.code, message: `${error.message}; not tried again: ${refusal}` };
}

/**
 * When a job whose lease lapsed may run again. Its backoff counts from the holder's last sign of
 * life and never outlasts the lease: the promise is that it is claimable within lease + reap
 * interval, and waiting for the lease to run out was already a pause. Jitter would change nothing
 * that matters then, so there is none.
 */
export function reapedDueAtMs(
  lapsed: Omit<LapsedJob, "maxRetries">,
  { nowMs, leaseMs, backoff }: { nowMs: number; leaseMs: number; backoff: BackoffPolicy },
): number {
  const lastSignOfLifeMs = lapsed.leaseExpiresAtMs - leaseMs;
  const policy = lapsed.options?.retry ?? {};
  const delayMs = retryDelayMs(lapsed.attempts + 1, { ...policy, jitter: 0 }, {
    standard: backoff,
    random: () => 0.5,
  });
  const dueAtMs = lastSignOfLifeMs + delayMs;
  return Math.max(nowMs, Math.min(dueAtMs, lapsed.leaseExpiresAtMs));
}

/** What becomes of a job whose lease lapsed. No exit code is known of it, so none is held against it. */
export function decideReaped(
  lapsed: LapsedJob,
  error: AttemptError,
  times: { nowMs: number; leaseMs: number; backoff: BackoffPolicy },
): Extract<Outcome, { event: "fail" | "bury" }> {
  if (lapsed.attempts + 1 > lapsed.maxRetries) return { event: "bury", error };
  const retry = withinAge(reapedDueAtMs(lapsed, times), lapsed.options?.retry ?? {});
  return "dueAtMs" in retry
    ? { event: "fail", error, dueAtMs: retry.dueAtMs }
    : { event: "bury", error: explained(error, retry.refusal) };
}

interface LapsedJob {
  readonly attempts: number;
  readonly maxRetries: number;
  readonly leaseExpiresAtMs: number;
  readonly options?: JobOptions | null;
}
