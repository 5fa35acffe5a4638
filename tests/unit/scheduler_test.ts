/** Proves what the scheduler does when: in time, after downtime, beside others, and when clocks are set. */
import assert from "node:assert/strict";
import { PAYLOAD_PARSERS } from "../../src/handlers/registry.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { newId } from "../../src/lib/ids.ts";
import { Scheduler } from "../../src/maintenance/scheduler.ts";
import type { QueueEvent } from "../../src/queue/events.ts";
import { Queue } from "../../src/queue/queue.ts";
import { Schedules } from "../../src/queue/schedules.ts";
import type { JobStore } from "../../src/store/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { T0 } from "../helpers/jobs.ts";
import { tempStore } from "../helpers/temp_store.ts";

const HOUR = 3_600_000;
const HOURLY = { name: "hourly", every: "1h", job: { kind: "count", payload: "x" } };

/** A process: a queue with a scheduler, at a moment that the test sets. */
class Process implements AsyncDisposable {
  readonly queue: Queue;
  readonly schedules: Schedules;
  readonly scheduler: Scheduler;
  readonly events: QueueEvent[] = [];
  nowMs = T0;

  constructor(
    store: JobStore,
    { maxDepth, clock = () => this.nowMs }: { maxDepth?: number; clock?: Clock } = {},
  ) {
    this.queue = new Queue({
      store,
      clock,
      newId,
      kinds: PAYLOAD_PARSERS,
      maxRetries: 3,
      timeoutMs: null,
      cwd: "/",
      workerTimeoutMs: 60_000,
      maxDepth,
    });
    this.queue.events.subscribe((event) => this.events.push(event));
    this.schedules = new Schedules(this.queue);
    this.scheduler = new Scheduler({
      queue: this.queue,
      onError: (error) => {
        throw error;
      },
    });
  }

  /** Looks at the moment that is so long after {@link T0}. */
  async lookAt(afterMs: number): Promise<void> {
    this.nowMs = T0 + afterMs;
    await this.scheduler.runOnce();
  }

  /** The times for which jobs were made, in order, in milliseconds after {@link T0}. */
  async times(): Promise<number[]> {
    const { jobs } = await this.queue.list({ limit: 1_000 });
    return jobs.map(({ options }) => options!.scheduledAtMs! - T0).toReversed();
  }

  seen(type: QueueEvent["type"]): QueueEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.scheduler.stop();
  }
}

Deno.test("scheduler: a job is made at each time, and none between", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store);
  await process.schedules.add(HOURLY);
  for (const afterMs of [0, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR + 5, 2 * HOUR + 9]) {
    await process.lookAt(afterMs);
  }
  assert.deepEqual(await process.times(), [HOUR, 2 * HOUR]);
  assert.deepEqual(process.seen("schedule.missed"), []);
});

Deno.test("scheduler: what was missed is made up for as the schedule says, and told", async () => {
  for (const [catchUp, expected] of [["once", [9]], ["skip", []], ["all", [7, 8, 9]]] as const) {
    await using temp = await tempStore();
    await using process = new Process(temp.store);
    process.nowMs = T0 + 6 * HOUR;
    await process.schedules.add({ ...HOURLY, catch_up: catchUp });
    await process.lookAt(9.5 * HOUR);
    assert.deepEqual(await process.times(), expected.map((hour) => hour * HOUR), catchUp);
    assert.equal(process.seen("schedule.missed").length, catchUp === "all" ? 0 : 1);
    const { nextAtMs } = await process.schedules.find("hourly");
    assert.equal(nextAtMs, T0 + 10 * HOUR);
  }
});

Deno.test("scheduler: of many processes that look at the same time one makes the job", async () => {
  await using temp = await tempStore();
  const stores = await Promise.all([1, 2, 3, 4].map(() => temp.openAgain()));
  const processes = stores.map((store) => new Process(store));
  await processes[0]!.schedules.add(HOURLY);
  for (const hour of [1, 2, 3]) {
    await Promise.all(processes.map((process) => process.lookAt(hour * HOUR)));
  }
  assert.deepEqual(await processes[0]!.times(), [HOUR, 2 * HOUR, 3 * HOUR]);
  for (const process of processes) await process[Symbol.asyncDispose]();
});

Deno.test("scheduler: a clock set back by an hour repeats nothing, and goes on where it was", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store);
  const daily = { ...HOURLY, every: undefined, cron: "0 * * * *" };
  await process.schedules.add(daily);
  const first = (await process.schedules.find("hourly")).nextAtMs! - T0;
  await process.lookAt(first);
  await process.lookAt(first + HOUR);
  for (const backMs of [HOUR, 30_000, 0]) {
    process.queue.events.emit({ type: "clock.set", byMs: -1 });
    await process.lookAt(first + HOUR - backMs);
  }
  await process.lookAt(first + 2 * HOUR);
  assert.deepEqual(await process.times(), [first, first + HOUR, first + 2 * HOUR]);
});

Deno.test("scheduler: a clock that was years ahead does not keep schedules waiting for years", async () => {
  await using temp = await tempStore();
  const years = 5 * 365 * 24 * HOUR;
  await using wrong = new Process(temp.store);
  wrong.nowMs = T0 + years;
  await wrong.schedules.add(HOURLY);
  await wrong.schedules.add({ ...HOURLY, name: "cron", every: undefined, cron: "0 * * * *" });
  await wrong.lookAt(years + 2 * HOUR);
  // As after a restart: nobody saw that the clock was set.
  await using process = new Process(temp.store);
  await process.lookAt(0);
  for (const { name, nextAtMs } of await process.schedules.list()) {
    assert.ok(nextAtMs! > T0 && nextAtMs! <= T0 + HOUR, name);
  }
});

Deno.test("scheduler: a full queue puts a time off, and it is made up for when there is room", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store, { maxDepth: 1 });
  await process.schedules.add({ ...HOURLY, overlap: "allow" });
  await process.lookAt(HOUR);
  await process.lookAt(2 * HOUR);
  assert.deepEqual(await process.times(), [HOUR]);
  assert.equal(process.seen("schedule.failed").length, 1);
  const [waiting] = (await process.queue.list({ limit: 1 })).jobs;
  await process.queue.cancel(waiting!.id);
  await process.lookAt(2 * HOUR + 5_000);
  assert.deepEqual(await process.times(), [HOUR, 2 * HOUR]);
});

Deno.test("scheduler: a job that can no longer be made is told, and harms no other schedule", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store);
  await process.schedules.add(HOURLY);
  const broken = { name: "broken", timing: { type: "every", everyMs: HOUR } } as const;
  await temp.store.addSchedule({
    schedule: { ...broken, catchUp: "once", overlap: "allow", job: '{"kind":"count"}' },
    nowMs: T0,
    nextAtMs: T0 + HOUR,
    isReplacing: false,
  });
  await process.lookAt(HOUR);
  assert.deepEqual(await process.times(), [HOUR]);
  assert.equal(process.seen("schedule.failed").length, 1);
  assert.equal((await process.schedules.find("broken")).nextAtMs, T0 + 2 * HOUR);
});

Deno.test("scheduler: a kind that this process does not know is added for those that do", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store);
  await temp.store.addSchedule({
    schedule: {
      name: "a",
      timing: { type: "every", everyMs: HOUR },
      catchUp: "once",
      overlap: "allow",
      job: '{"kind":"resize","payload":{"width":5}}',
    },
    nowMs: T0,
    nextAtMs: T0 + HOUR,
    isReplacing: false,
  });
  await process.lookAt(HOUR);
  const [job] = (await process.queue.list({ limit: 1 })).jobs;
  assert.equal(job!.kind, "resize");
  assert.equal(await process.queue.payload(job!), '{"width":5}');
});

Deno.test("scheduler: it sleeps until the next time, and is woken by changes here and elsewhere", async () => {
  await using temp = await tempStore();
  await using process = new Process(temp.store, { clock: Date.now });
  let looks = 0;
  const { dueSchedules } = temp.store;
  temp.store.dueSchedules = (nowMs) => {
    looks++;
    return dueSchedules(nowMs);
  };
  const startedMs = performance.now();
  process.scheduler.start();
  await eventually(() => looks > 0, { what: "it looked at its start" });

  const other = new Process(await temp.openAgain(), { clock: Date.now });
  await other.schedules.add({ ...HOURLY, every: "1s" });
  await eventually(async () => (await process.times()).length >= 2, { what: "it ran two times" });
  const elapsedMs = performance.now() - startedMs;
  assert.ok(looks < 20 + elapsedMs / 100, `it looked ${looks} times in ${elapsedMs} ms`);

  await other.schedules.remove("hourly");
  await process.schedules.add({ ...HOURLY, name: "own", every: "1s" });
  await eventually(
    async () => (await process.queue.list({ limit: 1 })).jobs[0]!.options!.schedule === "own",
    { what: "it was woken by its own process" },
  );
});
