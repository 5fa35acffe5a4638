/** How long a job waits after a failure. */
import type { Random } from "../lib/clock.ts";
import type { RetryPolicy } from "./job.ts";

export interface BackoffPolicy {
  /** Any number above 0. */
  readonly base: number;
  readonly capMs: number;
}

/**
 * The delay in milliseconds after failure number `failure` (counted from 1): `base ^ failure`
 * seconds, at most the cap. Source: the product contract, "Retries"; the formula of the systems
 * that this one replaces.
 *
 * @example
 * ```ts
 * import { backoffDelayMs } from "./backoff.ts";
 * import assert from "node:assert/strict";
 * const policy = { base: 2, capMs: 3_600_000 };
 * assert.deepEqual([1, 2, 3].map((n) => backoffDelayMs(n, policy)), [2000, 4000, 8000]);
 * ```
 */
export function backoffDelayMs(failure: number, { base, capMs }: BackoffPolicy): number {
  return Math.round(Math.min(base ** failure * 1_000, capMs));
}

/**
 * The delay in milliseconds after failure number `failure` of a job with a policy of its own. What
 * the policy leaves open is as for every job. Jitter comes last, so that jobs that have reached the
 * cap do not all come back in the same moment; it may therefore pass the cap.
 */
export function retryDelayMs(
  failure: number,
  { backoff, jitter = 0 }: RetryPolicy,
  { standard, random }: { standard: BackoffPolicy; random: Random },
): number {
  const delayMs = (() => {
    switch (backoff?.type) {
      case undefined:
        return backoffDelayMs(failure, standard);
      case "exponential":
        return backoffDelayMs(failure, {
          base: backoff.base,
          capMs: backoff.capMs ?? standard.capMs,
        });
      case "linear":
        return Math.min(failure * backoff.delayMs, backoff.capMs ?? standard.capMs);
      case "fixed":
        return backoff.delayMs;
      case "list":
        return backoff.delaysMs[Math.min(failure, backoff.delaysMs.length) - 1]!;
    }
  })();
  return Math.round(delayMs * (1 + jitter * (2 * random() - 1)));
}
