/** Proves what the end of an attempt does to its job. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AttemptError, RetryPolicy } from "../../src/job/job.ts";
import {
  type AttemptEnd,
  decideOutcome,
  decideReaped,
  reapedDueAtMs,
} from "../../src/job/outcome.ts";

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

const failed = (exitCode: number | null): AttemptEnd => ({
  type: "failed",
  error,
  exit: { ...exit, exitCode },
});
const withRetry = (retry: RetryPolicy) => ({ attempts: 0, maxRetries: 9, options: { retry } });

Deno.test("retry_on retries the exit codes that it names; others bury the job and say why", () => {
  const job = withRetry({ exitCodes: [75, 111] });
  assert.equal(decideOutcome(failed(75), job, times).event, "fail");
  const outcome = decideOutcome(failed(1), job, times);
  assert.ok(outcome.event === "bury");
  assert.equal(
    outcome.error.message,
    "exit code 1; not tried again: only the exit codes 75, 111 are",
  );
});

Deno.test("retry_on says nothing about ends without an exit code: a signal, a timeout, a crash", () => {
  const job = withRetry({ exitCodes: [75] });
  assert.equal(decideOutcome(failed(null), job, times).event, "fail");
  assert.equal(decideOutcome({ type: "failed", error }, job, times).event, "fail");
});

Deno.test("a job is not tried again when it would be older than max_age by then", () => {
  const backoff = { type: "fixed", delayMs: 500 } as const;
  for (const [untilMs, event] of [[NOW_MS + 500, "fail"], [NOW_MS + 499, "bury"]] as const) {
    const outcome = decideOutcome(failed(1), withRetry({ backoff, untilMs }), times);
    assert.equal(outcome.event, event);
    if (outcome.event === "bury") assert.match(outcome.error.message, /max_age/);
  }
});

Deno.test("what asked to be left alone for longer waits for longer than its backoff, not for less", () => {
  const end = { type: "failed", error, retryAfterMs: 60_000 } as const;
  const fixed = (delayMs: number) => withRetry({ backoff: { type: "fixed", delayMs } });
  for (const [delayMs, dueInMs] of [[500, 60_000], [90_000, 90_000]] as const) {
    const outcome = decideOutcome(end, fixed(delayMs), times);
    assert.ok(outcome.event === "fail");
    assert.equal(outcome.dueAtMs, NOW_MS + dueInMs);
  }
});

Deno.test("a lapsed job is tried again by its own policy, within its attempts and its age", () => {
  const reaping = { nowMs: NOW_MS - 29_000, leaseMs: 30_000, backoff };
  const lapsed = (retry: RetryPolicy, attempts = 0) => ({
    ...{ attempts, maxRetries: 1, leaseExpiresAtMs: NOW_MS, options: { retry } },
  });
  const fixed = { backoff: { type: "fixed", delayMs: 5_000 }, exitCodes: [75], jitter: 1 } as const;
  const again = decideReaped(lapsed(fixed), error, reaping);
  assert.deepEqual(again, { event: "fail", error, dueAtMs: NOW_MS - 25_000 });
  assert.equal(decideReaped(lapsed(fixed, 1), error, reaping).event, "bury");
  const old = decideReaped(lapsed({ ...fixed, untilMs: NOW_MS - 25_001 }), error, reaping);
  assert.equal(old.event, "bury");
  assert.match(old.error.message, /max_age/);
});
