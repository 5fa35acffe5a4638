/**
 * How an attempt ended, and what that does to its job. The worker says what happened
 * ({@link AttemptEnd}); this file alone decides what it means ({@link Outcome}).
 */
import { backoffDelayMs, type BackoffPolicy } from "./backoff.ts";
import type { AttemptError } from "./job.ts";

/** What happened to an attempt, as its worker saw it. */
export type AttemptEnd =
  /** `result` is JSON text. */
  | { readonly type: "succeeded"; readonly result: string }
  | { readonly type: "failed"; readonly error: AttemptError; readonly exit?: CommandExit }
  /** Stopped because somebody cancelled the job. */
  | { readonly type: "cancelled"; readonly exit?: CommandExit }
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
  | { readonly event: "complete"; readonly result: string }
  | {
    readonly event: "fail";
    readonly error: AttemptError;
    readonly dueAtMs: number;
    readonly exit?: CommandExit;
  }
  | { readonly event: "bury"; readonly error: AttemptError; readonly exit?: CommandExit }
  | { readonly event: "release" }
  | { readonly event: "abort"; readonly exit?: CommandExit };

/** What becomes of a job whose attempt ended so. */
export function decideOutcome(
  end: AttemptEnd,
  job: { readonly attempts: number; readonly maxRetries: number },
  { nowMs, backoff }: { nowMs: number; backoff: BackoffPolicy },
): Outcome {
  switch (end.type) {
    case "succeeded":
      return { event: "complete", result: end.result };
    case "cancelled":
      return { event: "abort", exit: end.exit };
    case "released":
      return { event: "release" };
    case "failed": {
      const failures = job.attempts + 1;
      if (failures > job.maxRetries) return { event: "bury", error: end.error, exit: end.exit };
      const dueAtMs = nowMs + backoffDelayMs(failures, backoff);
      return { event: "fail", error: end.error, dueAtMs, exit: end.exit };
    }
  }
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
