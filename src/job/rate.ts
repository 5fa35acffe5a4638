/**
 * How many jobs of a queue may start in a time. Owns the arithmetic of a rate limit; knows neither
 * jobs nor storage.
 *
 * Invariant: in no stretch of time as long as the period do more jobs start than the limit says. What
 * is kept is when jobs have started, not tokens that refill: a bucket would let through twice the
 * limit, what it had saved up and what it gets meanwhile.
 */

export interface RateLimit {
  /** So many jobs may start in each period. */
  readonly limit: number;
  readonly periodMs: number;
}

/** When jobs have started, oldest first; starts that lie close together stand as the last of them. */
export type Starts = readonly (readonly [atMs: number, jobs: number])[];

/** So many entries, at most, are kept of one period: the error is 1/64 of it, on the safe side. */
const GRAINS = 64;

/**
 * How many jobs may start now and, when that is none, at which time one may.
 *
 * @example
 * ```ts
 * import { startsLeft } from "./rate.ts";
 * import assert from "node:assert/strict";
 * const rate = { limit: 3, periodMs: 1_000 };
 * assert.deepEqual(startsLeft(rate, [[5_000, 2]], 5_400), { left: 1, nextAtMs: null });
 * assert.deepEqual(startsLeft(rate, [[5_000, 3]], 5_400), { left: 0, nextAtMs: 6_000 });
 * ```
 */
export function startsLeft(
  rate: RateLimit,
  starts: Starts,
  nowMs: number,
): { left: number; nextAtMs: number | null } {
  const counted = within(rate, starts, nowMs);
  let used = counted.reduce((sum, [, jobs]) => sum + jobs, 0);
  if (used < rate.limit) return { left: rate.limit - used, nextAtMs: null };
  // After the limit was lowered, several must fall out of the period first.
  for (const [atMs, jobs] of counted) {
    used -= jobs;
    if (used < rate.limit) return { left: 0, nextAtMs: atMs + rate.periodMs };
  }
  return { left: 0, nextAtMs: nowMs + rate.periodMs };
}

/** The starts that still count, with these. */
export function noteStarts(rate: RateLimit, starts: Starts, nowMs: number, jobs: number): Starts {
  const counted = within(rate, starts, nowMs);
  const grain = (atMs: number) => Math.floor(atMs / (rate.periodMs / GRAINS));
  const last = counted.at(-1);
  if (last === undefined || grain(last[0]) !== grain(nowMs)) return [...counted, [nowMs, jobs]];
  return [...counted.slice(0, -1), [nowMs, last[1] + jobs]];
}

/** Starts in the future are from before the clock was set back: nobody could wait for them to pass. */
function within({ periodMs }: RateLimit, starts: Starts, nowMs: number): Starts {
  return starts.filter(([atMs]) => atMs > nowMs - periodMs && atMs <= nowMs);
}
