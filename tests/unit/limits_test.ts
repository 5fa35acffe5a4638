/** What can be said of a queue, and the arithmetic of rates. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidInputError } from "../../src/job/errors.ts";
import { formatRate, parseLimits, parseRateText } from "../../src/job/limits.ts";
import { noteStarts, type Starts, startsLeft } from "../../src/job/rate.ts";

Deno.test("parseLimits() takes any of the fields, and null for no limit", () => {
  assert.deepEqual(parseLimits({ max_running: 3 }), { maxRunning: 3 });
  assert.deepEqual(parseLimits({ rate: { limit: 10, period: "1m" }, key_max_running: null }), {
    rate: { limit: 10, periodMs: 60_000 },
    keyMaxRunning: null,
  });
  assert.deepEqual(parseLimits({ rate: { limit: 1, period: 0.5 } }), {
    rate: { limit: 1, periodMs: 500 },
  });
  assert.deepEqual(parseLimits({ rate: "5/10s", max_running: 1_000_000 }), {
    rate: { limit: 5, periodMs: 10_000 },
    maxRunning: 1_000_000,
  });
});

Deno.test("parseLimits() names every problem with its place and what was expected", () => {
  const input = {
    max_running: 0,
    key_max_running: "2",
    rate: { limit: 1.5, period: "soon" },
    x: 1,
  };
  assert.throws(() => parseLimits(input), (error) => {
    assert.ok(error instanceof InvalidInputError);
    assert.deepEqual(error.problems.map(({ pointer }) => pointer), [
      "/max_running",
      "/key_max_running",
      "/rate",
      "/x",
    ]);
    assert.match(error.message, /max_running: expected a whole number from 1 to 1000000, or null/);
    assert.match(error.message, /limit: expected .* got 1\.5; period: expected a duration/);
    assert.match(error.message, /there is no field "x"; the fields are max_running, rate/);
    return true;
  });
});

for (
  const input of [
    null,
    [],
    "10/1m",
    {},
    { rate: 10 },
    { rate: [10, 60] },
    { rate: {} },
    { rate: { limit: 1, period: "1m", burst: 2 } },
    { rate: { limit: 0, period: "1m" } },
    { rate: { limit: 1, period: "10ms" } },
    { rate: { limit: 1, period: "32d" } },
    { rate: { limit: 1_000_001, period: "1m" } },
    { rate: "10 per minute" },
    { max_running: -1 },
    { max_running: 1.5 },
    { max_running: 1e9 },
    { max_running: true },
  ]
) {
  Deno.test(`parseLimits() refuses ${JSON.stringify(input)}`, () => {
    assert.throws(() => parseLimits(input), InvalidInputError);
  });
}

Deno.test("rates are written as a number and a period", () => {
  assert.deepEqual(parseRateText("10/1m"), { limit: 10, periodMs: 60_000 });
  assert.deepEqual(parseRateText("10/m"), { limit: 10, periodMs: 60_000 });
  assert.deepEqual(parseRateText(" 1000 / 1h "), { limit: 1_000, periodMs: 3_600_000 });
  for (const text of ["", "10", "10/", "/1m", "10/1", "10/1y", "-1/1s", "0/1s", "1.5/1s", "1/0s"]) {
    assert.equal(parseRateText(text), null, text);
  }
  assert.equal(formatRate({ limit: 10, periodMs: 90_000 }), "10/90s");
});

Deno.test("a rate never lets more start in any period than its limit, and makes use of it", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 100, max: 5_000 }),
    fc.array(fc.tuple(fc.nat(700), fc.integer({ min: 1, max: 20 })), { maxLength: 150 }),
    (limit, periodMs, asks) => {
      const rate = { limit, periodMs };
      let starts: Starts = [];
      let nowMs = 1_000_000;
      const started: number[] = [];
      for (const [pauseMs, wanted] of asks) {
        nowMs += pauseMs;
        const { left, nextAtMs } = startsLeft(rate, starts, nowMs);
        assert.equal(left === 0, nextAtMs !== null);
        if (nextAtMs !== null) {
          assert.ok(nextAtMs > nowMs && nextAtMs <= nowMs + periodMs);
          assert.ok(startsLeft(rate, starts, nextAtMs).left > 0, "the time that is told is right");
        }
        const jobs = Math.min(left, wanted);
        if (jobs > 0) starts = noteStarts(rate, starts, nowMs, jobs);
        for (let job = 0; job < jobs; job++) started.push(nowMs);
        assert.ok(starts.length <= 66, "what is kept is bounded");
        // A start counts at most a sixty-fourth of the period too long.
        const recent = started.filter((atMs) => atMs > nowMs - periodMs * (1 + 1 / 64));
        assert.ok(left + jobs >= 0 && recent.length >= Math.min(limit, limit - left));
      }
      for (const [index, atMs] of started.entries()) {
        const next = started[index + limit] ?? Infinity;
        assert.ok(next - atMs >= periodMs, `${next - atMs} ms instead of ${periodMs}`);
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});

Deno.test("after a limit was lowered, it is told when enough starts have passed", () => {
  const starts: Starts = [[1_000, 3], [1_500, 4], [1_900, 1]];
  const rate = { limit: 2, periodMs: 1_000 };
  assert.deepEqual(startsLeft(rate, starts, 1_950), { left: 0, nextAtMs: 2_500 });
});
