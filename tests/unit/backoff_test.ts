/** Proves the wait after failure number n. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffDelayMs, retryDelayMs } from "../../src/job/backoff.ts";
import type { Backoff } from "../../src/job/job.ts";

const HOUR_MS = 3_600_000;

Deno.test("with the defaults a job waits 2, 4, 8, ... seconds, at most an hour", () => {
  const delays = Array.from(
    { length: 14 },
    (_, index) => backoffDelayMs(index + 1, { base: 2, capMs: HOUR_MS }) / 1_000,
  );
  const expected = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600];
  assert.deepEqual(delays, expected);
});

Deno.test("the base may be any number above 0", () => {
  assert.equal(backoffDelayMs(3, { base: 1, capMs: HOUR_MS }), 1_000);
  assert.equal(backoffDelayMs(2, { base: 0.5, capMs: HOUR_MS }), 250);
  assert.equal(backoffDelayMs(2, { base: 1.5, capMs: HOUR_MS }), 2_250);
  assert.equal(backoffDelayMs(1, { base: 0.0001, capMs: HOUR_MS }), 0);
});

Deno.test("a cap of 0 means no wait at all", () => {
  assert.equal(backoffDelayMs(5, { base: 2, capMs: 0 }), 0);
});

Deno.test("the wait is a whole number from 0 to the cap, whatever the failure's number", () => {
  const base = fc.double({ min: Number.MIN_VALUE, max: 1e15, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_001 }), base, fc.nat(), (failure, base, capMs) => {
      const delayMs = backoffDelayMs(failure, { base, capMs });
      return Number.isSafeInteger(delayMs) && delayMs >= 0 && delayMs <= capMs;
    }),
  );
});

const standard = { base: 2, capMs: HOUR_MS };
const middle = () => 0.5;

/** The first delays under a policy, without jitter. */
function delays(backoff: Backoff, count = 4): number[] {
  return Array.from(
    { length: count },
    (_, index) => retryDelayMs(index + 1, { backoff }, { standard, random: middle }),
  );
}

Deno.test("a job's own backoff grows as its type says", () => {
  assert.deepEqual(delays({ type: "exponential", base: 3 }), [3_000, 9_000, 27_000, 81_000]);
  assert.deepEqual(delays({ type: "linear", delayMs: 700 }), [700, 1_400, 2_100, 2_800]);
  assert.deepEqual(delays({ type: "fixed", delayMs: 700 }), [700, 700, 700, 700]);
  assert.deepEqual(delays({ type: "list", delaysMs: [5, 0, 9] }), [5, 0, 9, 9]);
});

Deno.test("a growing backoff ends at its own cap, or at that of every job", () => {
  assert.deepEqual(delays({ type: "linear", delayMs: 700, capMs: 1_000 }, 2), [700, 1_000]);
  assert.deepEqual(delays({ type: "exponential", base: 9, capMs: 10_000 }, 2), [9_000, 10_000]);
  assert.equal(delays({ type: "linear", delayMs: HOUR_MS }).at(-1), HOUR_MS);
});

const DELAY = fc.nat(30 * 86_400_000);
const CAP = fc.option(DELAY, { nil: undefined });
const BACKOFFS: fc.Arbitrary<Backoff> = fc.oneof(
  fc.record({
    type: fc.constant("exponential" as const),
    base: fc.double({ min: 1, max: 1_000, noNaN: true }),
    capMs: CAP,
  }),
  fc.record({ type: fc.constant("linear" as const), delayMs: DELAY, capMs: CAP }),
  fc.record({ type: fc.constant("fixed" as const), delayMs: DELAY }),
);
const FAILURE = fc.integer({ min: 1, max: 1_001 });

Deno.test("every delay is a whole number of milliseconds from 0 to the cap, and never less than before", () => {
  fc.assert(fc.property(BACKOFFS, FAILURE, (backoff, failure) => {
    const options = { standard, random: middle };
    const delayMs = retryDelayMs(failure, { backoff }, options);
    assert.ok(Number.isSafeInteger(delayMs) && delayMs >= 0, `${delayMs} is no delay`);
    const capMs = "capMs" in backoff ? backoff.capMs ?? standard.capMs : Infinity;
    assert.ok(delayMs <= capMs, `${delayMs} is more than ${capMs}`);
    assert.ok(retryDelayMs(failure + 1, { backoff }, options) >= delayMs, "it has shrunk");
  }));
});

Deno.test("jitter makes a delay at most that part longer or shorter, and both happen", () => {
  const jitters = fc.double({ min: 0, max: 1, noNaN: true });
  const chances = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  fc.assert(fc.property(BACKOFFS, FAILURE, jitters, chances, (backoff, failure, jitter, chance) => {
    const plainMs = retryDelayMs(failure, { backoff }, { standard, random: middle });
    const delayMs = retryDelayMs(failure, { backoff, jitter }, { standard, random: () => chance });
    assert.ok(Number.isSafeInteger(delayMs) && delayMs >= 0);
    assert.ok(Math.abs(delayMs - plainMs) <= plainMs * jitter + 1, `${plainMs} became ${delayMs}`);
  }));
  const policy = { backoff: { type: "fixed", delayMs: 1_000 }, jitter: 0.2 } as const;
  const extremes = [0, 0.999999].map((chance) =>
    retryDelayMs(1, policy, { standard, random: () => chance })
  );
  assert.deepEqual(extremes, [800, 1_200]);
});
