/** Schedules over several processes and their sudden deaths: no time is run twice, none is lost. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { type Running, Sandbox } from "../helpers/program.ts";

/** The times, in seconds, for which the schedule has made jobs, oldest first. */
async function times(sandbox: Sandbox, schedule: string): Promise<number[]> {
  const jobs = JSON.parse(await sandbox.ok("list", "--state", "all", "--limit", "1000", "--json"));
  return jobs.filter((job: { schedule?: string }) => job.schedule === schedule)
    .map((job: { scheduled_for: string }) => Date.parse(job.scheduled_for) / 1_000)
    .toReversed();
}

/** Each second from the first time to the last, once. */
function assertEachSecondOnce(found: readonly number[]): void {
  const expected = found.map((_, index) => found[0]! + index);
  assert.deepEqual(found.map((second) => second.toFixed(3)), expected.map((one) => one.toFixed(3)));
}

Deno.test("three processes on one database run each time of a schedule once", async () => {
  await using sandbox = await Sandbox.create();
  const processes = await Promise.all([
    sandbox.serve(["--workers", "1"]),
    sandbox.serve(["--workers", "1"]),
    sandbox.serve(["--workers", "0"]),
  ]);
  await sandbox.ok(
    "schedule",
    "add",
    "tick",
    "--cron",
    "* * * * * *",
    // A machine that stands still for a second misses no time for good.
    "--catch-up",
    "all",
    'echo "$QUEUECTL_JOB_ID" >> ran',
  );
  const made = () => processes.flatMap((process) => process.log("job.added"));
  await eventually(() => made().length >= 6, {
    what: "six jobs were made",
    timeoutMs: 60_000,
    everyMs: 100,
  });
  await sandbox.ok("schedule", "remove", "tick");
  const found = await times(sandbox, "tick");
  assertEachSecondOnce(found);
  await eventually(() => sandbox.lines("ran").length === found.length, { what: "all of them ran" });
  assert.equal(new Set(sandbox.lines("ran")).size, found.length);
});

Deno.test("kill -9, again and again, neither loses nor repeats a time of a schedule", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok(
    ...["schedule", "add", "tick", "--every", "1s", "--catch-up", "all"],
    ...["--kind", "count", "--payload", '"x"'],
  );
  let processes: Running[] = [];
  for (let round = 0; round < 4; round++) {
    processes = await Promise.all([
      sandbox.worker(["-n", "1"]),
      sandbox.serve(["--workers", "0"]),
    ]);
    const before = (await times(sandbox, "tick")).length;
    await eventually(async () => (await times(sandbox, "tick")).length > before, {
      what: "the schedule went on",
      everyMs: 20 + 37 * round,
    });
    await Promise.all(processes.map((process) => process.kill()));
  }
  const found = await times(sandbox, "tick");
  assert.ok(found.length >= 4, `${found.length} times`);
  assertEachSecondOnce(found);
  const shown = JSON.parse(await sandbox.ok("schedule", "show", "tick", "--json"));
  assert.equal(shown.runs, found.length);
  assert.equal(Date.parse(shown.next_run_at) / 1_000, found.at(-1)! + 1);
});

Deno.test("a schedule goes on after a restart, and makes one job for all that it missed", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("schedule", "add", "tick", "--every", "1s", "--overlap", "skip", "sleep 0");
  const createdMs = performance.now();
  await eventually(() => performance.now() - createdMs > 3_200, {
    what: "three times were missed",
    everyMs: 100,
  });
  const server = await sandbox.serve(["--workers", "1"]);
  await server.sees("schedule.missed");
  await eventually(async () => (await times(sandbox, "tick")).length >= 2, {
    what: "it was run in time, too",
  });
  const [first, second] = await times(sandbox, "tick");
  const { created_at } = JSON.parse(await sandbox.ok("schedule", "show", "tick", "--json"));
  assert.ok(first! - Date.parse(created_at) / 1_000 >= 3, "the latest of those missed");
  const apart = second! - first!;
  assert.ok(Math.abs(apart - Math.round(apart)) < 0.001, `whole seconds apart, not ${apart}`);
});

Deno.test("while its job runs, a schedule that skips overlaps makes no other", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "2"]);
  const command = "while [ ! -e go ]; do sleep 0.05; done";
  await sandbox.ok("schedule", "add", "slow", "--every", "1s", "--overlap", "skip", command);
  await server.sees("schedule.overlapped");
  assert.equal((await times(sandbox, "slow")).length, 1);
  const { code, stderr } = await sandbox.run(["schedule", "run", "slow"]);
  assert.equal(code, 1);
  assert.match(stderr, /is not finished/);
  sandbox.touch("go");
  await eventually(async () => (await times(sandbox, "slow")).length >= 2, {
    what: "it went on once the job had ended",
  });
});
