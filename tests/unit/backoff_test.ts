/** Proves the wait after failure number n. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffDelayMs } from "../../src/job/backoff.ts";

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
