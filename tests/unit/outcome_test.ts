/** Proves what the end of an attempt does to its job. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AttemptError } from "../../src/job/job.ts";
import { type AttemptEnd, decideOutcome, reapedDueAtMs } from "../../src/job/outcome.ts";

const NOW_MS = 1_000_000;
const backoff = { base: 2, capMs: 3_600_000 };
const times = { nowMs: NOW_MS, backoff, random: () => 0.5 };
const error: AttemptError = { code: "exit", message: "exit code 1" };
const exit = { exitCode: 1, signal: null, stdoutBytes: 2, stderrBytes: 0 };

Deno.test("success completes the job with its result", () => {
  const end: AttemptEnd = { type: "succeeded", result: '{"characters":3}' };
  assert.deepEqual(decideOutcome(end, { attempts: 2, maxRetries: 2, options: null }, times), {
    event: "complete",
    result: '{"characters":3}',
  });
});

Deno.test("a failure with retries left is due again after the backoff of its number", () => {
  const end: AttemptEnd = { type: "failed", error, exit };
  for (const [attempts, delayMs] of [[0, 2_000], [1, 4_000], [2, 8_000]] as const) {
    assert.deepEqual(decideOutcome(end, { attempts, maxRetries: 3, options: null }, times), {
      event: "fail",
      error,
      exit,
      dueAtMs: NOW_MS + delayMs,
    });
  }
});

Deno.test("the failure after the last retry buries the job", () => {
  const end: AttemptEnd = { type: "failed", error, exit };
  const buried = { event: "bury", error, exit };
  assert.deepEqual(
    decideOutcome(end, { attempts: 3, maxRetries: 3, options: null }, times),
    buried,
  );
  assert.deepEqual(
    decideOutcome(end, { attempts: 0, maxRetries: 0, options: null }, times),
    buried,
  );
});

Deno.test("a job runs at most max_retries + 1 times", () => {
  fc.assert(fc.property(fc.nat(1_000), (maxRetries) => {
    let attempts = 0;
    while (
      decideOutcome({ type: "failed", error }, { attempts, maxRetries, options: null }, times)
        .event === "fail"
    ) {
      attempts++;
    }
    return attempts + 1 === maxRetries + 1;
  }));
});

Deno.test("a cancelled attempt aborts the job, a released one costs nothing", () => {
  const job = { attempts: 3, maxRetries: 3, options: null };
  assert.deepEqual(decideOutcome({ type: "cancelled", exit }, job, times), {
    event: "abort",
    exit,
  });
  assert.deepEqual(decideOutcome({ type: "released" }, job, times), { event: "release" });
});

Deno.test("a reaped job's backoff counts from its holder's last sign of life", () => {
  const lapsed = { attempts: 0, leaseExpiresAtMs: NOW_MS };
  const dueAtMs = reapedDueAtMs(lapsed, { nowMs: NOW_MS - 29_000, leaseMs: 30_000, backoff });
  assert.equal(dueAtMs, NOW_MS - 30_000 + 2_000);
});

Deno.test("a reaped job never waits longer than its lease would have held", () => {
  const lapsed = { attempts: 9, leaseExpiresAtMs: NOW_MS };
  const dueAtMs = reapedDueAtMs(lapsed, { nowMs: NOW_MS - 29_000, leaseMs: 30_000, backoff });
  assert.equal(dueAtMs, NOW_MS);
});

Deno.test("a job reaped after its lease ran out is due at once", () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(100_000), fc.nat(100_000), (attempts, lateMs, leaseMs) => {
      const lapsed = { attempts, leaseExpiresAtMs: NOW_MS };
      const nowMs = NOW_MS + lateMs;
      return reapedDueAtMs(lapsed, { nowMs, leaseMs, backoff }) === nowMs;
    }),
  );
});
