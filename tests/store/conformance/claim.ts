/** The promises of `claim()`: what is leased, in which order, and to whom. */
import assert from "node:assert/strict";
import type { NewJob } from "../../../src/job/job.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  bytesOf,
  claim,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  idsClaimed,
  LEASE_MS,
  settleOne,
  type Suite,
} from "./harness.ts";

export function claimPromises(suite: Suite): void {
  leasePromises(suite);
  orderPromises(suite);
  chunkPromises(suite);
  wakePromises(suite);
}

function leasePromises({ test }: Suite): void {
  test("claim() hands out what a worker needs and writes the lease down", async (store) => {
    const job = newJob({ id: "a", kind: "command", payload: '"x"', maxRetries: 2, timeoutMs: 9 });
    await store.add([job], T0);
    const { slots } = await claim(store, { nowMs: T0 + 10 });
    const { seq } = await find(store, "a");
    const leased = {
      seq,
      token: 1,
      id: "a",
      queue: "default",
      kind: "command",
      payload: '"x"',
      attempts: 0,
      maxRetries: 2,
      timeoutMs: 9,
      options: null,
      dueAtMs: T0,
      hasFiles: false,
    };
    assert.deepEqual(slots, [{ worker: "w-1", jobs: [leased] }]);
    const stored = await find(store, "a");
    assert.equal(stored.state, "started");
    assert.equal(stored.leaseHolder, HOLDER);
    assert.equal(stored.worker, "w-1");
    assert.equal(stored.token, 1);
    assert.equal(stored.leaseExpiresAtMs, T0 + 10 + LEASE_MS);
    assert.equal(stored.startedAtMs, T0 + 10);
    assert.equal(stored.updatedAtMs, T0 + 10);
  });

  test("claim() never hands out a job twice", async (store) => {
    await store.add(newJobs(10), T0);
    const claims = await Promise.all(
      Array.from({ length: 8 }, () => idsClaimed(store, { free: 2 })),
    );
    const ids = claims.flat();
    assert.equal(ids.length, 10);
    assert.equal(new Set(ids).size, 10);
  });

  test("claim() gives each free worker its own slot, and no more slots than workers", async (store) => {
    await store.add(newJobs(5), T0);
    const { slots } = await claim(store, { slots: ["w-7", "w-3", "w-9"] });
    assert.deepEqual(slots.map(({ worker }) => worker).sort(), ["w-3", "w-7", "w-9"]);
    assert.deepEqual(slots.map(({ jobs }) => jobs.length), [1, 1, 1]);
  });

  test("claim() with nobody free leases nothing", async (store) => {
    await store.add(newJobs(3), T0);
    assert.deepEqual((await claim(store, { free: 0 })).slots, []);
    assert.equal((await store.stats(T0)).counts.pending, 3);
  });

  test("the token rises with every claim of the job", async (store) => {
    await store.add([newJob()], T0);
    const tokens: number[] = [];
    for (let round = 0; round < 4; round++) {
      const job = await claimOne(store);
      tokens.push(job.token);
      await settleOne(store, job, { event: "release" });
    }
    assert.deepEqual(tokens, [...new Set(tokens)].sort((one, other) => one - other));
  });

  test("claim() leases failed jobs again, with the failures so far", async (store) => {
    await store.add([newJob()], T0);
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 2_000 } as const;
    await settleOne(store, await claimOne(store), outcome);
    assert.deepEqual(await claimJobs(store, { nowMs: T0 + 1_999 }), []);
    const again = await claimOne(store, { nowMs: T0 + 2_000 });
    assert.equal(again.attempts, 1);
    assert.equal(again.token, 2);
  });

  test("claim() leaves finished and leased jobs alone", async (store) => {
    await store.add(newJobs(4), T0);
    const [done, dead, cancelled] = await claimJobs(store, { free: 4 });
    await settleOne(store, done!, { event: "complete", result: "1" });
    await settleOne(store, dead!, { event: "bury", error: EXIT_ERROR });
    await settleOne(store, cancelled!, { event: "abort" });
    assert.deepEqual(await claimJobs(store, { free: 4, nowMs: T0 + 10 * LEASE_MS }), []);
  });

  test("claim() asks for its request once it is at work, not when it is called", async (store) => {
    await store.add([newJob()], T0);
    let free = 0;
    const claiming = store.claim(() => ({
      holder: HOLDER,
      nowMs: T0,
      leaseExpiresAtMs: T0 + LEASE_MS,
      slots: free > 0 ? ["w-1"] : [],
      chunk: {},
      chunkBytes: 1,
    }));
    free = 1;
    assert.equal((await claiming).slots.length, 1);
  });

  test("claim() whose request throws fails alone", async (store) => {
    const answers = await Promise.allSettled([
      store.add([newJob({ id: "a" })], T0),
      store.claim(() => {
        throw new Error("nobody knows");
      }),
      store.add([newJob({ id: "b" })], T0),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assert.equal((await store.stats(T0)).counts.pending, 2);
  });
}

function orderPromises({ test }: Suite): void {
  test("claim() takes higher priority first, then earlier due time, then insertion", async (store) => {
    const jobs: NewJob[] = [
      newJob({ id: "5th", priority: 0, runAtMs: T0 }),
      newJob({ id: "3rd", priority: 0, runAtMs: T0 - 2 }),
      newJob({ id: "6th", priority: 0, runAtMs: T0 }),
      newJob({ id: "1st", priority: 9, runAtMs: T0 }),
      newJob({ id: "7th", priority: -9, runAtMs: T0 - 10 }),
      newJob({ id: "4th", priority: 0, runAtMs: T0 - 1 }),
      newJob({ id: "2nd", priority: 1, runAtMs: T0 }),
    ];
    await store.add(jobs, T0);
    const ids: string[] = [];
    for (let turn = 0; turn < jobs.length; turn++) ids.push((await claimOne(store)).id);
    assert.deepEqual(ids, ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th"]);
  });

  test("claim() of many at once takes them in the same order", async (store) => {
    const jobs = Array.from(
      { length: 60 },
      (_, index) => newJob({ priority: (index * 7) % 5, runAtMs: T0 - ((index * 11) % 4) }),
    );
    await store.add(jobs, T0);
    const expected = jobs.map((job, index) => ({ ...job, index })).sort((one, other) =>
      other.priority - one.priority || one.runAtMs - other.runAtMs || one.index - other.index
    ).map(({ id }) => id);
    const ids: string[] = [];
    for (const free of [1, 7, 30, 60]) ids.push(...await idsClaimed(store, { free }));
    assert.deepEqual(ids, expected);
  });

  test("claim() leaves a job alone until its due time has come, to the millisecond", async (store) => {
    await store.add([newJob({ runAtMs: T0 + 1 })], T0);
    assert.deepEqual(await claimJobs(store, { nowMs: T0 }), []);
    assert.equal((await claimJobs(store, { nowMs: T0 + 1 })).length, 1);
  });

  test("a job of high priority that is not due holds nobody up", async (store) => {
    await store.add([newJob({ priority: 9, runAtMs: T0 + 1 }), newJob({ id: "due" })], T0);
    assert.deepEqual(await idsClaimed(store, { free: 2 }), ["due"]);
  });

  test("queues take turns: a long backlog of one cannot starve another", async (store) => {
    await store.add(newJobs(50, { queue: "busy", priority: 100 }), T0);
    await store.add(newJobs(2, { queue: "calm" }), T0);
    await store.add(newJobs(2, { queue: "quiet" }), T0);
    const queues: string[] = [];
    for (let turn = 0; turn < 6; turn++) queues.push((await claimOne(store)).queue);
    for (const queue of ["busy", "calm", "quiet"]) {
      assert.equal(queues.filter((one) => one === queue).length, 2, queues.join(" "));
    }
  });

  test("queues take turns within one claim too", async (store) => {
    await store.add(newJobs(50, { queue: "busy", priority: 100 }), T0);
    await store.add(newJobs(2, { queue: "calm" }), T0);
    const queues = (await claimJobs(store, { free: 4 })).map(({ queue }) => queue);
    assert.deepEqual(queues.sort(), ["busy", "busy", "calm", "calm"]);
  });

  test("queues take turns with jobs in chunks too", async (store) => {
    await store.add(newJobs(500, { queue: "busy", priority: 100 }), T0);
    await store.add(newJobs(2, { queue: "calm" }), T0);
    const queues = new Set<string>();
    for (let turn = 0; turn < 3; turn++) {
      for (const { queue } of await claimJobs(store, { chunk: { count: 100 } })) queues.add(queue);
    }
    assert.deepEqual([...queues].sort(), ["busy", "calm"]);
  });

  test("every one of two hundred queues gets its turn", async (store) => {
    await store.add(Array.from({ length: 200 }, (_, n) => newJob({ queue: `q${n}` })), T0);
    await store.add(newJobs(300, { queue: "busy" }), T0);
    const queues = new Set<string>();
    for (let turn = 0; turn < 201; turn++) queues.add((await claimOne(store)).queue);
    assert.equal(queues.size, 201);
  });

  test("within a queue the order holds although queues take turns", async (store) => {
    const jobs = Array.from(
      { length: 40 },
      (_, index) =>
        newJob({ queue: `q${index % 3}`, priority: index % 4, runAtMs: T0 - (index % 5) }),
    );
    await store.add(jobs, T0);
    const ids: string[] = [];
    for (const free of [1, 2, 5, 3, 40]) ids.push(...await idsClaimed(store, { free }));
    for (const queue of ["q0", "q1", "q2"]) {
      const expected = jobs.map((job, index) => ({ ...job, index }))
        .filter((job) => job.queue === queue)
        .sort((one, other) =>
          other.priority - one.priority || one.runAtMs - other.runAtMs || one.index - other.index
        ).map(({ id }) => id);
      assert.deepEqual(ids.filter((id) => expected.includes(id)), expected, queue);
    }
  });
}

function chunkPromises({ test }: Suite): void {
  test("claim() puts as many jobs of a kind into a slot as the chunk allows, no more", async (store) => {
    await store.add(newJobs(25), T0);
    const { slots } = await claim(store, { free: 2, chunk: { count: 10 } });
    assert.deepEqual(slots.map(({ jobs }) => jobs.length), [10, 10]);
  });

  test("kinds without a chunk get a slot each, also beside others", async (store) => {
    await store.add(
      newJobs(12).map((job, index) => index % 4 === 1 ? { ...job, kind: "command" } : job),
      T0,
    );
    const { slots } = await claim(store, { free: 20, chunk: { count: 100 } });
    assert.equal(slots.flatMap(({ jobs }) => jobs).length, 12);
    for (const { jobs } of slots) {
      if (jobs.some(({ kind }) => kind === "command")) assert.equal(jobs.length, 1);
    }
  });

  test("claim() stops filling a slot once its payloads reach chunkBytes", async (store) => {
    await store.add(newJobs(10, { payload: new Uint8Array(100) }), T0);
    const { slots } = await claim(store, { free: 2, chunk: { count: 100 }, chunkBytes: 250 });
    assert.deepEqual(slots.map(({ jobs }) => jobs.length), [3, 3]);
  });

  test("a payload larger than chunkBytes is handed out all the same", async (store) => {
    await store.add(newJobs(2, { payload: new Uint8Array(5_000) }), T0);
    const { slots } = await claim(store, { chunk: { count: 100 }, chunkBytes: 250 });
    assert.deepEqual(slots.map(({ jobs }) => jobs.length), [1]);
    assert.equal((slots[0]!.jobs[0]!.payload as Uint8Array).length, 5_000);
  });

  test("a job that has failed before never makes more slots than there are workers", async (store) => {
    await store.add([newJob({ id: "failed" }), newJob({ id: "fresh", priority: 1 })], T0);
    const failing = (await claimJobs(store, { free: 2 })).find(({ id }) => id === "failed")!;
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 } as const;
    await settleOne(store, failing, outcome);
    await store.add([newJob({ id: "fresh2", priority: 1 })], T0);
    const { slots, isMoreDue } = await claim(store, { slots: ["w-1"], chunk: { count: 100 } });
    assert.deepEqual(slots.map(({ worker }) => worker), ["w-1"]);
    if (slots[0]!.jobs.length < 2) assert.equal(isMoreDue, true);
  });

  test("every due job is claimed in the end, whatever its kind, failures and queue", async (store) => {
    const jobs = Array.from({ length: 60 }, (_, index) =>
      newJob({
        kind: index % 3 === 0 ? "command" : "count",
        queue: `q${index % 2}`,
        payload: bytesOf("x".repeat(index)),
        maxRetries: 5,
      }));
    await store.add(jobs, T0);
    const options = { free: 3, chunk: { count: 4 }, chunkBytes: 90 };
    for (const job of (await claimJobs(store, options))) {
      await settleOne(store, job, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 });
    }
    const ids: string[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const { slots, isMoreDue } = await claim(store, options);
      assert.ok(slots.length <= 3);
      for (const { worker } of slots) assert.match(worker, /^w-[123]$/);
      ids.push(...slots.flatMap((slot) => slot.jobs.map(({ id }) => id)));
      if (slots.length === 0) {
        assert.equal(isMoreDue, false);
        break;
      }
    }
    assert.deepEqual(ids.sort(), jobs.map(({ id }) => id).sort());
  });
}

function wakePromises({ test }: Suite): void {
  test("isMoreDue is true while due jobs are left", async (store) => {
    await store.add(newJobs(3), T0);
    assert.equal((await claim(store, { free: 2 })).isMoreDue, true);
  });

  test("isMoreDue is false when none is left, so that nobody asks in vain for ever", async (store) => {
    assert.equal((await claim(store)).isMoreDue, false);
    await store.add([newJob(), newJob({ runAtMs: T0 + 1 })], T0);
    await claim(store, { free: 4 });
    assert.equal((await claim(store, { free: 4 })).isMoreDue, false);
  });

  test("isMoreDue is true when the jobs that are left stand in another queue", async (store) => {
    await store.add([newJob({ queue: "a" }), newJob({ queue: "b" })], T0);
    assert.equal((await claim(store, { free: 1 })).isMoreDue, true);
  });

  test("nextDueAtMs tells when the next waiting job falls due, in whichever queue", async (store) => {
    assert.equal((await claim(store)).nextDueAtMs, null);
    await store.add([
      newJob({ queue: "a", priority: 5, runAtMs: T0 + 900 }),
      newJob({ queue: "a", runAtMs: T0 + 700 }),
      newJob({ queue: "b", runAtMs: T0 + 800 }),
      newJob({ queue: "b" }),
    ], T0);
    assert.equal((await claim(store, { free: 4 })).nextDueAtMs, T0 + 700);
    assert.equal((await claim(store, { free: 4, nowMs: T0 + 750 })).nextDueAtMs, T0 + 800);
  });

  test("nextDueAtMs counts failed jobs that wait for their retry", async (store) => {
    await store.add([newJob()], T0);
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 4_000 } as const;
    await settleOne(store, await claimOne(store), outcome);
    assert.equal((await claim(store)).nextDueAtMs, T0 + 4_000);
  });

  test("nextDueAtMs is null when every job is leased or finished", async (store) => {
    await store.add(newJobs(2), T0);
    const [job] = await claimJobs(store, { free: 2 });
    await settleOne(store, job!, { event: "complete", result: "1" });
    assert.equal((await claim(store)).nextDueAtMs, null);
  });
}
