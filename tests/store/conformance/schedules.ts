/** The promises of schedules: each of their times is run once, whoever tries. */
import assert from "node:assert/strict";
import type { JobExtras, NewJob } from "../../../src/job/job.ts";
import type { NewSchedule, Schedule } from "../../../src/job/schedule.ts";
import type { ScheduledRun } from "../../../src/store/schedules.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { claimJobs, claimOne, settleOne, type Suite } from "./harness.ts";

const HOUR = 3_600_000;
const SIGNED = { by: "cli:ann", atMs: T0 };

function definition(overrides: Partial<NewSchedule> = {}): NewSchedule {
  return {
    name: "nightly",
    timing: { type: "cron", cron: "30 2 * * *", tz: "Europe/Berlin" },
    catchUp: "once",
    overlap: "allow",
    job: '{"kind":"count","payload":"nul: \\u0000"}',
    ...overrides,
  };
}

/** Keeps a schedule that is next due an hour after {@link T0}. */
async function added(
  store: JobStore,
  overrides: Partial<NewSchedule> = {},
  { nowMs = T0, isReplacing = false } = {},
): Promise<Schedule> {
  const request = { schedule: definition(overrides), nowMs, isReplacing, nextAtMs: nowMs + HOUR };
  const addition = await store.addSchedule(request);
  assert.ok("schedule" in addition, addition.result);
  return addition.schedule;
}

function scheduled(overrides: Partial<JobExtras> = {}): NewJob {
  const extras: JobExtras = {
    options: { schedule: "nightly", scheduledAtMs: T0 + HOUR },
    key: null,
    unique: null,
    after: null,
    fileId: null,
    schedule: "nightly",
    ...overrides,
  };
  return newJob({ extras });
}

/** The schedule's job for its next time, and on to the one an hour later. */
function runOf(schedule: Schedule, changes: Partial<ScheduledRun> = {}): ScheduledRun {
  const { id, name, nextAtMs } = schedule;
  return {
    id,
    name,
    jobs: [scheduled()],
    lastAtMs: nextAtMs,
    move: { id, fromMs: nextAtMs, nextAtMs: nextAtMs! + HOUR },
    mostWaiting: null,
    ...changes,
  };
}

async function idsOfJobs(store: JobStore): Promise<string[]> {
  return (await store.list({ limit: 100 })).jobs.map(({ id }) => id).toReversed();
}

export function schedulePromises({ test }: Suite): void {
  test("a schedule comes back as it was made, also when opened anew", async (store, fresh) => {
    const schedule = await added(store);
    assert.deepEqual(schedule, {
      ...definition(),
      id: schedule.id,
      pausedAtMs: null,
      nextAtMs: T0 + HOUR,
      decidedAtMs: T0,
      lastAtMs: null,
      lastJobId: null,
      runs: 0,
      overlaps: 0,
      createdAtMs: T0,
    });
    const interval = await added(store, { name: "a", timing: { type: "every", everyMs: 60_000 } });
    const again = await fresh.openAgain();
    assert.deepEqual(await again.schedules(), [interval, schedule]);
    assert.deepEqual(await again.schedule("nightly"), schedule);
    assert.equal(await again.schedule("nobody"), null);
  });

  test("a name belongs to one schedule, unless another is to take its place", async (store) => {
    const first = await added(store);
    const request = { schedule: definition(), nowMs: T0, isReplacing: false, nextAtMs: null };
    assert.deepEqual(await store.addSchedule(request), { result: "exists" });
    assert.deepEqual(await store.schedule("nightly"), first);
    await store.runSchedule(runOf(first), T0 + HOUR);
    const second = await added(store, { overlap: "skip" }, { nowMs: T0 + 5, isReplacing: true });
    assert.notEqual(second.id, first.id);
    assert.equal(second.runs, 1, "it goes on counting");
    assert.equal(second.nextAtMs, T0 + 2 * HOUR, "the same times are not put off");
    const timing = { type: "every", everyMs: 5_000 } as const;
    const third = await added(store, { timing }, { nowMs: T0 + 7, isReplacing: true });
    assert.deepEqual([third.nextAtMs, third.createdAtMs], [T0 + 7 + HOUR, T0 + 7]);
  });

  test("those whose time has come are due, and the next time is known", async (store) => {
    assert.deepEqual(await store.dueSchedules(T0), { due: [], nextAtMs: null });
    const soon = await added(store, { name: "soon" });
    const later = await added(store, { name: "later" }, { nowMs: T0 + 60_000 });
    await added(store, { name: "paused" });
    await store.pauseSchedule("paused", T0);
    assert.deepEqual(await store.dueSchedules(T0), { due: [], nextAtMs: T0 + HOUR });
    assert.deepEqual(await store.dueSchedules(T0 + HOUR), {
      due: [soon],
      nextAtMs: later.nextAtMs,
    });
    assert.equal((await store.dueSchedules(T0 + 2 * HOUR)).due.length, 2);
  });

  test("runSchedule() adds the job and moves on to the next time", async (store) => {
    const schedule = await added(store);
    const run = runOf(schedule);
    assert.deepEqual(await store.runSchedule(run, T0 + HOUR), { result: "ran" });
    const { id } = run.jobs[0]!;
    assert.deepEqual(await idsOfJobs(store), [id]);
    assert.equal((await store.find(id))!.options?.schedule, "nightly");
    assert.deepEqual(await store.schedule("nightly"), {
      ...schedule,
      nextAtMs: T0 + 2 * HOUR,
      decidedAtMs: T0 + HOUR,
      lastAtMs: T0 + HOUR,
      lastJobId: id,
      runs: 1,
    });
  });

  test(
    "of several that run the same time one does it, and the others lose",
    async (store, fresh) => {
      const schedule = await added(store);
      const others = [await fresh.openAgain(), await fresh.openAgain()];
      const results = await Promise.all(
        [store, ...others, store].map((one) => one.runSchedule(runOf(schedule), T0 + HOUR)),
      );
      assert.deepEqual(results.map(({ result }) => result).toSorted(), [
        "lost",
        "lost",
        "lost",
        "ran",
      ]);
      assert.equal((await idsOfJobs(store)).length, 1);
      assert.equal((await store.schedule("nightly"))!.runs, 1);
    },
  );

  test("what was decided before a pause, a removal or a replacement counts no more", async (store) => {
    const changes: ((name: string) => Promise<unknown>)[] = [
      (name) => store.pauseSchedule(name, T0),
      (name) => store.removeSchedule(name),
      async (name) => {
        await store.removeSchedule(name);
        await added(store, { name });
      },
      (name) => added(store, { name, overlap: "skip" }, { isReplacing: true }),
      (name) => store.pauseSchedule(name, T0).then(() => resumed(store, name)),
    ];
    for (const [index, change] of changes.entries()) {
      const schedule = await added(store, { name: `s${index}` });
      await change(schedule.name);
      assert.deepEqual(await store.runSchedule(runOf(schedule), T0 + HOUR), { result: "lost" });
    }
    assert.deepEqual(await idsOfJobs(store), []);
  });

  test("no job is added beside an unfinished one, where overlaps are skipped", async (store) => {
    let schedule = await added(store, { overlap: "skip" });
    const first = runOf(schedule);
    await store.runSchedule(first, T0 + HOUR);
    schedule = (await store.schedule("nightly"))!;
    const jobId = first.jobs[0]!.id;
    assert.deepEqual(await store.runSchedule(runOf(schedule), T0 + 2 * HOUR), {
      result: "overlap",
      jobId,
    });
    schedule = (await store.schedule("nightly"))!;
    assert.deepEqual([schedule.nextAtMs, schedule.overlaps], [T0 + 3 * HOUR, 1]);
    const now = { ...runOf(schedule), move: null };
    assert.equal((await store.runSchedule(now, T0 + 2 * HOUR)).result, "overlap", "nor by hand");
    const leased = await claimOne(store, { nowMs: T0 + 2 * HOUR });
    await settleOne(store, leased, { event: "complete", result: "1" }, { nowMs: T0 + 2 * HOUR });
    schedule = (await store.schedule("nightly"))!;
    assert.deepEqual(await store.runSchedule(runOf(schedule), T0 + 3 * HOUR), { result: "ran" });
    await store.remove((await store.schedule("nightly"))!.lastJobId!, T0);
    schedule = (await store.schedule("nightly"))!;
    assert.equal(
      (await store.runSchedule(runOf(schedule), T0 + 4 * HOUR)).result,
      "ran",
      "a job that was deleted is in nobody's way",
    );
  });

  test("a job whose unique key is taken counts as an overlap", async (store) => {
    const unique = { key: "k", onConflict: "return" } as const;
    const options = { uniqueKey: "k" };
    let schedule = await added(store);
    const first = scheduled({ unique, options });
    await store.runSchedule(runOf(schedule, { jobs: [first] }), T0 + HOUR);
    schedule = (await store.schedule("nightly"))!;
    const run = runOf(schedule, { jobs: [scheduled({ unique, options })] });
    assert.deepEqual(await store.runSchedule(run, T0 + 2 * HOUR), {
      result: "overlap",
      jobId: first.id,
    });
    assert.deepEqual(await idsOfJobs(store), [first.id]);
  });

  test("while too many jobs wait nothing is done, and it is due as before", async (store) => {
    await store.add([newJob()], T0);
    const schedule = await added(store);
    const run = runOf(schedule, { mostWaiting: 1 });
    assert.deepEqual(await store.runSchedule(run, T0 + HOUR), { result: "full", waiting: 1 });
    assert.deepEqual(await store.schedule("nightly"), schedule);
    await claimJobs(store);
    assert.deepEqual(await store.runSchedule(run, T0 + HOUR), { result: "ran" });
  });

  test("a run by hand leaves the next time alone, and is possible in a pause", async (store) => {
    const { nextAtMs } = await added(store);
    const paused = (await store.pauseSchedule("nightly", T0 + 1))!;
    const run = { ...runOf(paused), move: null, lastAtMs: T0 + 2 };
    assert.deepEqual(await store.runSchedule(run, T0 + 2), { result: "ran" });
    const after = (await store.schedule("nightly"))!;
    assert.deepEqual([after.nextAtMs, after.lastAtMs, after.runs], [nextAtMs, T0 + 2, 1]);
    assert.equal(after.pausedAtMs, T0 + 1);
  });

  test("moveSchedule() counts only if nobody else has decided", async (store) => {
    const { id } = await added(store);
    const move = { id, fromMs: T0 + HOUR, nextAtMs: T0 + 5 };
    assert.equal(await store.moveSchedule(move, T0 + 1), true);
    assert.equal(await store.moveSchedule(move, T0 + 1), false);
    const { nextAtMs, decidedAtMs } = (await store.schedule("nightly"))!;
    assert.deepEqual([nextAtMs, decidedAtMs], [T0 + 5, T0 + 1]);
  });

  test("a pause begins once and ends with a new time; a removal takes no jobs along", async (store) => {
    const schedule = await added(store);
    await store.runSchedule(runOf(schedule), T0 + HOUR);
    await store.pauseSchedule("nightly", T0 + 1);
    assert.equal((await store.pauseSchedule("nightly", T0 + 2))!.pausedAtMs, T0 + 1);
    assert.equal((await resumed(store, "nightly"))!.nextAtMs, T0 + 77);
    const times = { nowMs: T0, nextAtMs: T0 + 99 };
    assert.equal((await store.resumeSchedule("nightly", times))!.nextAtMs, T0 + 77, "not paused");
    assert.equal((await store.removeSchedule("nightly"))?.name, "nightly");
    assert.equal(await store.removeSchedule("nightly"), null);
    assert.equal(await store.pauseSchedule("nightly", T0), null);
    assert.equal(await resumed(store, "nightly"), null);
    assert.equal((await idsOfJobs(store)).length, 1);
  });

  test("changes of schedules that are signed stand in the audit log", async (store) => {
    const request = { schedule: definition(), nowMs: T0, nextAtMs: T0, isReplacing: true };
    await store.addSchedule(request, SIGNED);
    await store.addSchedule(request, SIGNED);
    await store.pauseSchedule("nightly", T0, SIGNED);
    await store.pauseSchedule("nightly", T0, SIGNED);
    await store.resumeSchedule("nightly", { nowMs: T0, nextAtMs: T0 }, SIGNED);
    const schedule = (await store.schedule("nightly"))!;
    await store.runSchedule({ ...runOf(schedule), move: null }, T0, SIGNED);
    await store.runSchedule(runOf(schedule), T0);
    await store.removeSchedule("nightly", SIGNED);
    await store.removeSchedule("nightly", SIGNED);
    const entries = await store.audit({ limit: 20 });
    assert.deepEqual(entries.toReversed().map(({ action, target }) => `${action} ${target}`), [
      "schedule.add nightly",
      "schedule.replace nightly",
      "schedule.pause nightly",
      "schedule.resume nightly",
      "schedule.run nightly",
      "schedule.remove nightly",
    ]);
  });
}

function resumed(store: JobStore, name: string): Promise<Schedule | null> {
  return store.resumeSchedule(name, { nowMs: T0 + 3, nextAtMs: T0 + 77 });
}
