/** The promises of queue limits, of fairness between keys, and of claims for some kinds only. */
import assert from "node:assert/strict";
import { newJob, newJobs, T0, withKey } from "../../helpers/jobs.ts";
import type { JobStore } from "../../../src/store/store.ts";
import {
  claim,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  idsClaimed,
  LEASE_MS,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

const DONE = { event: "complete", result: "1" } as const;
const NO_RULES = { pausedAtMs: null, maxRunning: null, rate: null, keyMaxRunning: null };

export function limitPromises(suite: Suite): void {
  pausePromises(suite);
  runningPromises(suite);
  ratePromises(suite);
  fairnessPromises(suite);
  keyLimitPromises(suite);
  kindPromises(suite);
  standingPromises(suite);
}

function standingPromises({ test }: Suite): void {
  test("standing() says what runs of a queue and of a key, and when its rate lets one start", async (store) => {
    const query = { queue: "mail", key: "k", nowMs: T0 + 1 };
    const none = { rules: NO_RULES, running: 0, runningOfKey: 0, nextStartAtMs: null };
    assert.deepEqual(await store.standing(query), none, "of a queue that never was");
    const rate = { limit: 2, periodMs: 1_000 };
    await store.changeQueue("mail", { rate, maxRunning: 5 }, T0);
    await store.add([
      newJob({ queue: "mail", priority: 1, ...withKey("k") }),
      newJob({ queue: "mail" }),
      newJob(),
    ], T0);
    await claim(store, { free: 4, nowMs: T0 });
    assert.deepEqual(await store.standing(query), {
      rules: { ...NO_RULES, rate, maxRunning: 5 },
      running: 2,
      runningOfKey: 1,
      nextStartAtMs: T0 + 1_000,
    });
    const keyless = await store.standing({ ...query, key: null, nowMs: T0 + 1_000 });
    assert.deepEqual([keyless.runningOfKey, keyless.nextStartAtMs], [0, null]);
  });
}

function pausePromises({ test }: Suite): void {
  test("a paused queue's jobs are not claimed until it is resumed; other queues go on", async (store) => {
    await store.add([newJob({ id: "a", queue: "mail" }), newJob({ id: "b" })], T0);
    await store.changeQueue("mail", { isPaused: true }, T0);
    const { slots, isMoreDue, isHeldBack, nextDueAtMs } = await claim(store, { free: 4 });
    assert.deepEqual(slots.flatMap(({ jobs }) => jobs.map(({ id }) => id)), ["b"]);
    assert.deepEqual(
      { isMoreDue, isHeldBack, nextDueAtMs },
      { isMoreDue: false, isHeldBack: false, nextDueAtMs: null },
      "nobody asks in vain",
    );
    await store.changeQueue("mail", { isPaused: false }, T0);
    assert.deepEqual(await idsClaimed(store, { free: 4 }), ["a"]);
  });

  test("pausing twice keeps the first time, and what runs goes on", async (store) => {
    await store.add([newJob()], T0);
    const job = await claimOne(store);
    await store.changeQueue("default", { isPaused: true }, T0 + 1);
    const rules = await store.changeQueue("default", { isPaused: true }, T0 + 2);
    assert.deepEqual(rules, { ...NO_RULES, pausedAtMs: T0 + 1 });
    assert.equal(await settleOne(store, job, DONE), "settled");
  });

  test("hundreds of paused queues stand in nobody's way", async (store) => {
    const names = Array.from({ length: 200 }, (_, index) => `a${index}`);
    await store.add([...names.map((queue) => newJob({ queue })), newJob({ queue: "z" })], T0);
    await Promise.all(names.map((queue) => store.changeQueue(queue, { isPaused: true }, T0)));
    assert.equal((await claimOne(store)).queue, "z");
    assert.equal((await claim(store)).isMoreDue, false);
  });

  test("hundreds of queues whose jobs are due later do not make claims ask without end", async (store) => {
    const later = Array.from(
      { length: 200 },
      (_, index) => newJob({ queue: `q${index}`, runAtMs: T0 + 1_000 + index }),
    );
    await store.add(later, T0);
    const { isMoreDue, nextDueAtMs } = await claim(store);
    assert.deepEqual({ isMoreDue, nextDueAtMs }, { isMoreDue: false, nextDueAtMs: T0 + 1_000 });
  });

  test("a pause by one process counts for all", async (store, fresh) => {
    const other = await fresh.openAgain();
    await store.add([newJob()], T0);
    await other.changeQueue("default", { isPaused: true }, T0);
    assert.deepEqual(await claimJobs(store), []);
  });

  test("changing a queue calls watchers, of this process too, since jobs may start now", async (store) => {
    let calls = 0;
    using _watch = store.watch(() => calls++);
    await store.changeQueue("mail", { isPaused: false }, T0);
    assert.ok(calls > 0);
  });

  test("what is said of a queue is seen in stats(), also where it has no jobs", async (store) => {
    const rate = { limit: 10, periodMs: 60_000 };
    const said = { maxRunning: 3, rate, keyMaxRunning: 1 };
    const rules = await store.changeQueue("mail", said, T0);
    assert.deepEqual(rules, { ...said, pausedAtMs: null });
    const [mail] = (await store.stats(T0)).queues;
    assert.equal(mail!.queue, "mail");
    assert.deepEqual(mail!.rules, rules);
    await store.changeQueue("mail", { maxRunning: null }, T0);
    assert.deepEqual((await store.stats(T0)).queues[0]!.rules, { ...rules, maxRunning: null });
    await store.changeQueue("mail", { rate: null, keyMaxRunning: null }, T0);
    assert.deepEqual((await store.stats(T0)).queues, [], "nothing is said of it any more");
  });

  test("changes of a queue stand in the audit log", async (store) => {
    const signed = { by: "ann", atMs: T0 };
    await store.changeQueue("mail", { isPaused: true }, T0, signed);
    await store.changeQueue("mail", { isPaused: false }, T0, signed);
    const rate = { limit: 10, periodMs: 60_000 };
    await store.changeQueue("mail", { maxRunning: 2, rate, keyMaxRunning: null }, T0, signed);
    const entries = await store.audit({ limit: 10 });
    assert.deepEqual(
      entries.map(({ action, target, detail, by }) => [action, target, detail, by]).reverse(),
      [
        ["queue.pause", "mail", null, "ann"],
        ["queue.resume", "mail", null, "ann"],
        ["queue.set", "mail", "max_running=2 rate=10/1m key_max_running=none", "ann"],
      ],
    );
  });
}

function runningPromises({ test }: Suite): void {
  test(
    "no more than maxRunning jobs of a queue are under a lease, over all processes",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.changeQueue("default", { maxRunning: 3 }, T0);
      await store.add(newJobs(10), T0);
      const first = await claimJobs(store, { free: 2 });
      const second = await claimJobs(other, { free: 5, holder: "process-b" });
      assert.deepEqual([first.length, second.length], [2, 1]);
      const { slots, isMoreDue, isHeldBack } = await claim(store, { free: 5 });
      assert.deepEqual(slots, []);
      assert.deepEqual({ isMoreDue, isHeldBack }, { isMoreDue: false, isHeldBack: true });
    },
  );

  test("every way in which an attempt ends makes room for the next", async (store) => {
    await store.changeQueue("default", { maxRunning: 1 }, T0);
    await store.add(newJobs(6), T0);
    const dueAtMs = T0 + 3_600_000;
    const outcomes = [
      DONE,
      { event: "fail", error: EXIT_ERROR, dueAtMs },
      { event: "bury", error: EXIT_ERROR },
      { event: "abort" },
    ] as const;
    for (const outcome of outcomes) {
      const job = await claimOne(store, { free: 4 });
      assert.deepEqual(await claimJobs(store, { free: 4 }), []);
      await settleOne(store, job, outcome);
    }
    await claimOne(store, { free: 4 });
    assert.equal((await reap(store, { nowMs: T0 + LEASE_MS })).length, 1);
    await claimOne(store, { free: 4 });
  });

  test("a settle and a claim of one turn share the freed place", async (store) => {
    await store.changeQueue("default", { maxRunning: 1 }, T0);
    await store.add(newJobs(2), T0);
    const job = await claimOne(store);
    const [, jobs] = await Promise.all([settleOne(store, job, DONE), claimJobs(store)]);
    assert.equal(jobs.length, 1);
  });

  test("maxRunning counts every job of a chunk", async (store) => {
    await store.changeQueue("default", { maxRunning: 5 }, T0);
    await store.add(newJobs(50), T0);
    assert.equal((await claimJobs(store, { free: 2, chunk: { count: 100 } })).length, 5);
  });

  test("a lowered maxRunning takes nothing back, and waits until enough have ended", async (store) => {
    await store.add(newJobs(6), T0);
    const running = await claimJobs(store, { free: 4 });
    await store.changeQueue("default", { maxRunning: 2 }, T0);
    for (const job of running.slice(0, 2)) {
      await settleOne(store, job, DONE);
      assert.deepEqual(await claimJobs(store, { free: 4 }), []);
    }
    await settleOne(store, running[2]!, DONE);
    assert.equal((await claimJobs(store, { free: 4 })).length, 1);
  });

  test("a queue at its limit holds up no other queue, and takes its turn among them", async (store) => {
    await store.changeQueue("busy", { maxRunning: 1 }, T0);
    await store.add([...newJobs(20, { queue: "busy" }), ...newJobs(20, { queue: "calm" })], T0);
    const queues = (await claimJobs(store, { free: 6 })).map(({ queue }) => queue);
    assert.equal(queues.filter((queue) => queue === "busy").length, 1);
    assert.equal(queues.filter((queue) => queue === "calm").length, 5);
  });
}

function ratePromises({ test }: Suite): void {
  const rate = { limit: 3, periodMs: 1_000 };

  test(
    "no more jobs start in a period than the rate allows, and it is told when more may",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.changeQueue("default", { rate }, T0);
      await store.add(newJobs(10), T0);
      assert.equal((await claimJobs(store, { free: 2 })).length, 2);
      const last = await claim(other, { free: 9, nowMs: T0 + 400 });
      assert.equal(last.slots.length, 1);
      assert.deepEqual([last.isMoreDue, last.nextDueAtMs], [false, T0 + 1_000]);
      const none = await claim(store, { free: 9, nowMs: T0 + 999 });
      assert.deepEqual(none.slots, []);
      assert.deepEqual(
        [none.isMoreDue, none.isHeldBack, none.nextDueAtMs],
        [false, false, T0 + 1_000],
      );
      assert.equal((await claimJobs(store, { free: 9, nowMs: T0 + 1_000 })).length, 2);
      assert.equal((await claimJobs(store, { free: 9, nowMs: T0 + 1_399 })).length, 0);
      assert.equal((await claimJobs(store, { free: 9, nowMs: T0 + 1_400 })).length, 1);
    },
  );

  test("in no stretch of a period do more start than the limit, however claims fall", async (store) => {
    await store.changeQueue("default", { rate: { limit: 7, periodMs: 1_000 } }, T0);
    await store.add(newJobs(200), T0);
    const starts: number[] = [];
    for (let nowMs = T0; nowMs < T0 + 9_000; nowMs += 37) {
      const jobs = await claimJobs(store, { free: 1 + nowMs % 5, nowMs });
      starts.push(...jobs.map(() => nowMs));
    }
    for (const [index, atMs] of starts.entries()) {
      const seventhNext = starts[index + 7] ?? Infinity;
      assert.ok(seventhNext - atMs >= 1_000, `${index}: ${seventhNext - atMs} ms`);
    }
    assert.ok(starts.length >= 7 * 8, `the limit is made use of: ${starts.length}`);
  });

  test("a rate that was raised counts at once; without one everything starts", async (store) => {
    await store.changeQueue("default", { rate }, T0);
    await store.add(newJobs(10), T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 3);
    await store.changeQueue("default", { rate: { ...rate, limit: 5 } }, T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 2);
    await store.changeQueue("default", { rate: null }, T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 5);
  });

  test("a clock that was set back does not stop a queue with a rate", async (store) => {
    await store.changeQueue("default", { rate }, T0);
    await store.add(newJobs(6, { runAtMs: T0 - 3_600_000 }), T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 3);
    assert.equal((await claimJobs(store, { free: 9, nowMs: T0 - 3_000_000 })).length, 3);
  });
}

function fairnessPromises({ test }: Suite): void {
  test("keys of a queue take turns: thousands of one key do not starve another", async (store) => {
    for (let step = 0; step < 3; step++) await store.add(newJobs(1_000, withKey("ann")), T0);
    await store.add(newJobs(5, { ...withKey("bob"), runAtMs: T0 + 10 }), T0);
    await store.add(newJobs(5, { runAtMs: T0 + 20 }), T0);
    const nowMs = T0 + 30;
    const keys: (string | null)[] = [];
    for (let turn = 0; turn < 15; turn++) {
      keys.push(await keyOf(store, await claimOne(store, { nowMs })));
    }
    for (const key of ["ann", "bob", null]) {
      assert.equal(keys.filter((one) => one === key).length, 5, keys.join(" "));
    }
  });

  test("keys take turns within one claim too, and with jobs in chunks", async (store) => {
    await store.add(newJobs(200, withKey("ann")), T0);
    await store.add(newJobs(3, withKey("bob")), T0);
    const jobs = await claimJobs(store, { free: 1, chunk: { count: 6 } });
    const keys = await Promise.all(jobs.map((job) => keyOf(store, job)));
    assert.deepEqual(keys.filter((key) => key === "bob").length, 3, keys.join(" "));
  });

  test("within a key the order is priority, due time, insertion; priorities come before turns", async (store) => {
    const jobs = [
      newJob({ id: "a4", ...withKey("a"), runAtMs: T0 }),
      newJob({ id: "a3", ...withKey("a"), runAtMs: T0 - 5, kind: "command" }),
      newJob({ id: "a1", ...withKey("a"), priority: 2 }),
      newJob({ id: "b2", ...withKey("b") }),
      newJob({ id: "a2", ...withKey("a"), priority: 2 }),
      newJob({ id: "b1", ...withKey("b"), priority: 1 }),
    ];
    await store.add(jobs, T0);
    const ids: string[] = [];
    for (let turn = 0; turn < jobs.length; turn++) ids.push((await claimOne(store)).id);
    assert.deepEqual(ids.slice(0, 3), ["a1", "a2", "b1"], "strictly by priority");
    assert.deepEqual(ids.filter((id) => id.startsWith("a")), ["a1", "a2", "a3", "a4"]);
    assert.notEqual(ids[3]![0], ids[4]![0], "then in turn");
  });

  test("every one of hundreds of keys gets its turn before one gets its second", async (store) => {
    const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);
    await store.add(keys.flatMap((key) => newJobs(2, withKey(key))), T0);
    const seen = new Set<string | null>();
    while (seen.size < 300) {
      for (const job of await claimJobs(store, { free: 7 })) {
        if (seen.size === 300) break;
        const key = await keyOf(store, job);
        assert.ok(!seen.has(key), `${key} came twice before all had their turn`);
        seen.add(key);
      }
    }
  });

  test("every due job with a key is claimed in the end, whatever key, kind and priority", async (store) => {
    const jobs = Array.from({ length: 240 }, (_, index) =>
      newJob({
        kind: index % 3 === 0 ? "command" : "count",
        priority: index % 2,
        runAtMs: T0 - index % 7,
        ...(index % 5 === 0 ? {} : withKey(`k${index % 90}`)),
      }));
    await store.add(jobs, T0);
    const ids: string[] = [];
    while (true) {
      const { slots, isMoreDue } = await claim(store, { free: 3, chunk: { count: 4 } });
      ids.push(...slots.flatMap((slot) => slot.jobs.map(({ id }) => id)));
      if (!isMoreDue) break;
    }
    assert.deepEqual(ids.sort(), jobs.map(({ id }) => id).sort());
    assert.equal((await claim(store)).nextDueAtMs, null);
  });

  test("a job with a key is due to the millisecond, and nextDueAtMs tells when", async (store) => {
    await store.add([newJob({ ...withKey("ann"), runAtMs: T0 + 5 })], T0);
    const { slots, nextDueAtMs, isMoreDue } = await claim(store);
    assert.deepEqual([slots, nextDueAtMs, isMoreDue], [[], T0 + 5, false]);
    assert.equal((await claimJobs(store, { nowMs: T0 + 5 })).length, 1);
  });

  test("thousands of keys that are due later hide no due job, though they take several claims", async (store) => {
    const later = Array.from(
      { length: 5_000 },
      (_, index) => newJob({ ...withKey(`k${index}`), runAtMs: T0 + 60_000 }),
    );
    await store.add(later, T0);
    await store.add([...newJobs(80, withKey("a")), newJob({ id: "last", ...withKey("z") })], T0);
    await store.changeQueue("default", { keyMaxRunning: 1 }, T0);
    assert.equal((await claimJobs(store)).length, 1);
    const ids: string[] = [];
    for (let turn = 0; turn < 8 && ids.length === 0; turn++) {
      const { slots, isMoreDue, nextDueAtMs } = await claim(store);
      ids.push(...slots.flatMap(({ jobs }) => jobs.map(({ id }) => id)));
      if (ids.length > 0) break;
      assert.equal(isMoreDue, false, "it must not spin");
      assert.ok(nextDueAtMs! <= T0 + 1_000, "it goes on soon");
    }
    assert.deepEqual(ids, ["last"]);
  });
}

function keyLimitPromises({ test }: Suite): void {
  test(
    "no more than keyMaxRunning jobs of a key run at once; other keys go on",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.changeQueue("default", { keyMaxRunning: 2 }, T0);
      await store.add([...newJobs(9, withKey("ann")), ...newJobs(3, withKey("bob"))], T0);
      const one = await claimJobs(store, { free: 3 });
      const two = await claimJobs(other, { free: 9, holder: "process-b" });
      const keys = await Promise.all([...one, ...two].map((job) => keyOf(store, job)));
      assert.deepEqual(keys.sort(), ["ann", "ann", "bob", "bob"]);
      const { isMoreDue, isHeldBack } = await claim(store, { free: 9 });
      assert.deepEqual({ isMoreDue, isHeldBack }, { isMoreDue: false, isHeldBack: true });
      for (const job of one) await settleOne(store, job, DONE);
      assert.equal((await claimJobs(store, { free: 9 })).length, 3);
    },
  );

  test("keyMaxRunning counts a key over all priorities and kinds", async (store) => {
    await store.changeQueue("default", { keyMaxRunning: 1 }, T0);
    await store.add([
      newJob({ ...withKey("ann"), priority: 3 }),
      newJob({ ...withKey("ann"), priority: 2, kind: "command" }),
      newJob({ ...withKey("ann") }),
    ], T0);
    assert.equal((await claimJobs(store, { free: 9, chunk: { count: 9 } })).length, 1);
  });

  test("jobs without a key are not limited by keyMaxRunning", async (store) => {
    await store.changeQueue("default", { keyMaxRunning: 1 }, T0);
    await store.add([...newJobs(4), ...newJobs(4, withKey("ann"))], T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 5);
  });

  test("a long backlog of a key at its limit hides no other jobs", async (store) => {
    await store.changeQueue("default", { keyMaxRunning: 1 }, T0);
    await store.add(newJobs(2_000, { ...withKey("ann"), runAtMs: T0 - 9 }), T0);
    await store.add([newJob({ id: "b", ...withKey("bob") }), newJob({ id: "plain" })], T0);
    const ids = await idsClaimed(store, { free: 9 });
    assert.equal(ids.length, 3);
    assert.ok(ids.includes("b") && ids.includes("plain"));
  });

  test("the limits of a queue hold together", async (store) => {
    const rate = { limit: 3, periodMs: 1_000 };
    await store.changeQueue("default", { maxRunning: 4, keyMaxRunning: 1, rate }, T0);
    await store.add(["a", "b", "c", "d", "e", "f"].flatMap((key) => newJobs(5, withKey(key))), T0);
    assert.equal((await claimJobs(store, { free: 9 })).length, 3, "the rate");
    assert.equal((await claimJobs(store, { free: 9, nowMs: T0 + 1_000 })).length, 1, "the running");
  });
}

function kindPromises({ test }: Suite): void {
  test("claim() for some kinds takes only those and passes over the others", async (store) => {
    await store.add(newJobs(500, { kind: "unknown", priority: 5, runAtMs: T0 - 9 }), T0);
    await store.add(newJobs(500, { kind: "unknown", runAtMs: T0 - 9, ...withKey("ann") }), T0);
    await store.add([
      newJob({ id: "mine" }),
      newJob({ id: "ours", ...withKey("ann") }),
      newJob({ kind: "unknown", runAtMs: T0 + 5 }),
    ], T0);
    const ids = await idsClaimed(store, { free: 9, kinds: ["count", "command"] });
    assert.deepEqual(ids.sort(), ["mine", "ours"].sort());
    const { isMoreDue, isHeldBack, nextDueAtMs } = await claim(store, { kinds: ["count"] });
    assert.deepEqual(
      { isMoreDue, isHeldBack, nextDueAtMs },
      { isMoreDue: false, isHeldBack: false, nextDueAtMs: null },
      "nobody is woken for jobs of others",
    );
    assert.equal((await claimJobs(store, { free: 3 })).length, 3, "whoever runs all gets them");
  });

  test("the order holds over kinds that share a queue", async (store) => {
    const jobs = Array.from(
      { length: 30 },
      (_, index) =>
        newJob({ kind: ["count", "command", "other"][index % 3], runAtMs: T0 - (index * 7) % 11 }),
    );
    await store.add(jobs, T0);
    const expected = jobs.map((job, index) => ({ ...job, index }))
      .sort((one, other) => one.runAtMs - other.runAtMs || one.index - other.index)
      .map(({ id }) => id);
    const ids: string[] = [];
    for (const free of [1, 4, 9, 16]) ids.push(...await idsClaimed(store, { free }));
    assert.deepEqual(ids, expected);
  });
}

async function keyOf(store: JobStore, { id }: { id: string }): Promise<string | null> {
  return (await store.find(id))!.key;
}
