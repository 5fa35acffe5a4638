/** Proves which times of a schedule run when, and what is said about bad ones. */
import assert from "node:assert/strict";
import { InvalidInputError } from "../../src/job/errors.ts";
import { parseNewSchedule } from "../../src/job/schedule_parse.ts";
import { type Schedule, SCHEDULE_LIMITS } from "../../src/job/schedule.ts";
import { isDecidedByWrongClock, nextTimes, planRun } from "../../src/job/schedule_times.ts";
import { PAYLOAD_PARSERS } from "../../src/handlers/registry.ts";
import { T0 } from "../helpers/jobs.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An hourly schedule that is due now. */
function schedule(changes: Partial<Schedule> = {}): Schedule {
  return {
    id: 1,
    name: "nightly",
    timing: { type: "every", everyMs: HOUR },
    catchUp: "once",
    overlap: "allow",
    job: "{}",
    createdAtMs: T0 - HOUR,
    pausedAtMs: null,
    nextAtMs: T0,
    decidedAtMs: T0 - HOUR,
    lastAtMs: null,
    lastJobId: null,
    runs: 0,
    overlaps: 0,
    ...changes,
  };
}

Deno.test("schedule: nothing is due before its time", () => {
  assert.deepEqual(planRun(schedule(), T0 - 1), { timesMs: [], nextAtMs: T0, isAnyMissed: false });
});

Deno.test("schedule: in time, it runs once and is next due one interval later", () => {
  for (const catchUp of ["once", "skip", "all"] as const) {
    assert.deepEqual(planRun(schedule({ catchUp }), T0 + 20), {
      timesMs: [T0],
      nextAtMs: T0 + HOUR,
      isAnyMissed: false,
    });
  }
});

Deno.test("schedule: after downtime, once runs the latest missed time", () => {
  assert.deepEqual(planRun(schedule(), T0 + 5 * HOUR + 20 * MINUTE), {
    timesMs: [T0 + 5 * HOUR],
    nextAtMs: T0 + 6 * HOUR,
    isAnyMissed: true,
  });
});

Deno.test("schedule: after downtime, skip runs nothing, but forgives a restart", () => {
  const skipping = schedule({ catchUp: "skip" });
  assert.deepEqual(planRun(skipping, T0 + 5 * HOUR + 20 * MINUTE), {
    timesMs: [],
    nextAtMs: T0 + 6 * HOUR,
    isAnyMissed: true,
  });
  assert.deepEqual(planRun(skipping, T0 + 5 * HOUR + 20_000).timesMs, [T0 + 5 * HOUR]);
});

Deno.test("schedule: after downtime, all runs every missed time, oldest first, up to a limit", () => {
  const all = schedule({ catchUp: "all" });
  assert.deepEqual(planRun(all, T0 + 2 * HOUR + 1).timesMs, [T0, T0 + HOUR, T0 + 2 * HOUR]);
  const late = planRun(all, T0 + 10_000 * HOUR);
  assert.equal(late.timesMs.length, SCHEDULE_LIMITS.caughtUp);
  assert.equal(late.timesMs.at(-1), T0 + 10_000 * HOUR);
  assert.equal(late.timesMs[0], T0 + 9_901 * HOUR);
  assert.ok(late.isAnyMissed);
  assert.deepEqual(
    planRun({ ...all, overlap: "skip" }, T0 + 2 * HOUR).timesMs,
    [T0 + 2 * HOUR],
    "jobs that may not run beside each other are not piled up",
  );
});

Deno.test("schedule: the plan after years of downtime is made in no time", () => {
  const everySecond = { type: "cron", cron: "* * * * * *", tz: "Europe/Berlin" } as const;
  const beganMs = performance.now();
  for (const catchUp of ["once", "skip", "all"] as const) {
    const plan = planRun(schedule({ timing: everySecond, catchUp }), T0 + 50_000 * HOUR);
    assert.equal(plan.timesMs.at(-1), T0 + 50_000 * HOUR);
  }
  assert.ok(performance.now() - beganMs < 20_000, `${performance.now() - beganMs} ms`);
});

Deno.test("schedule: a clock that was set back a little repeats nothing; a lot, it starts anew", () => {
  const daily = schedule({
    timing: { type: "cron", cron: "0 3 * * *", tz: "UTC" },
    nextAtMs: T0 + 24 * HOUR,
    decidedAtMs: T0,
  });
  assert.equal(isDecidedByWrongClock(daily, T0 - 2 * HOUR), false);
  assert.equal(isDecidedByWrongClock(daily, T0 - 4 * HOUR), true);
  const interval = schedule({ nextAtMs: T0 + HOUR, decidedAtMs: T0 });
  assert.equal(isDecidedByWrongClock(interval, T0), false);
  assert.equal(isDecidedByWrongClock(interval, T0 - MINUTE), true, "it never waits for longer");
});

Deno.test("schedule: an interval keeps step with its start", () => {
  const { timing } = schedule();
  const at = (nowMs: number) => nextTimes({ timing, createdAtMs: T0 }, nowMs, 2);
  assert.deepEqual(at(T0), [T0 + HOUR, T0 + 2 * HOUR]);
  assert.deepEqual(at(T0 + HOUR - 1), [T0 + HOUR, T0 + 2 * HOUR]);
  assert.deepEqual(at(T0 - 10 * HOUR - 5), [T0 - 10 * HOUR, T0 - 9 * HOUR]);
});

const CONTEXT = {
  nowMs: T0,
  newId: () => "id",
  maxRetries: 3,
  timeoutMs: null,
  kinds: PAYLOAD_PARSERS,
  cwd: "/work",
};

function problems(input: unknown): string[] {
  try {
    parseNewSchedule(input, CONTEXT);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    return error.problems.map(({ pointer, detail }) => `${pointer} ${detail}`);
  }
  return [];
}

Deno.test("schedule: what its job does not say is decided when it is made", () => {
  const { schedule, isReplacing } = parseNewSchedule(
    { name: "a", cron: "@daily", tz: "europe/berlin", job: { command: "x" } },
    { ...CONTEXT, maxRetries: 7, timeoutMs: 90_000 },
  );
  assert.deepEqual(schedule.timing, { type: "cron", cron: "@daily", tz: "Europe/Berlin" });
  assert.equal(schedule.catchUp, "once");
  assert.equal(schedule.overlap, "allow");
  assert.equal(isReplacing, false);
  assert.deepEqual(JSON.parse(schedule.job), {
    command: "x",
    cwd: "/work",
    timeout: "90s",
    max_retries: 7,
  });
});

Deno.test("schedule: every problem is told at once", () => {
  const found = problems({
    name: "a b",
    cron: "61 * * * *",
    tz: "Berlin",
    catch_up: "maybe",
    overlap: 5,
    replace: "yes",
    colour: "red",
    job: { command: "x", run_at: "2030-01-01", priority: "high" },
  });
  const pointers = found.map((line) => line.split(" ")[0]);
  assert.deepEqual(pointers.toSorted(), [
    "/catch_up",
    "/colour",
    "/cron",
    "/job/priority",
    "/job/run_at",
    "/name",
    "/overlap",
    "/replace",
    "/tz",
  ]);
  assert.ok(found.some((line) => line.includes("did you mean Europe/Berlin?")));
});

Deno.test("schedule: what never comes, or says nothing of when, is refused", () => {
  const job = { command: "x" };
  const about = (fields: Record<string, unknown>) => problems({ name: "a", job, ...fields }).join();
  assert.match(about({ cron: "0 0 30 2 *" }), /^\/cron .*never comes/);
  assert.match(about({ cron: 5 }), /^\/cron .*expected five fields/);
  assert.match(about({}), /^\/cron .*either cron or every, got neither/);
  assert.match(about({ cron: "@daily", every: "1h" }), /either cron or every, got both/);
  assert.match(about({ every: "10ms" }), /^\/every .*expected between 1s and 3650d/);
  assert.match(about({ every: "1h", tz: "UTC" }), /^\/tz .*has no time zone/);
  assert.match(problems({ name: "a", cron: "@daily" }).join(), /^\/job job: missing/);
  assert.match(
    problems({ name: "a", cron: "@daily", job: 5 }).join(),
    /^\/job expected a JSON obj/,
  );
  assert.match(problems(null).join(), /expected a JSON object/);
});
