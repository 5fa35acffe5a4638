/** How long a job waits after a failure. */

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
