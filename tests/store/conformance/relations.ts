/** The promises about jobs that wait for others. */
import assert from "node:assert/strict";
import { eventually } from "../../helpers/eventually.ts";
import { type AfterCondition, HELD_MS, type NewJob } from "../../../src/job/job.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newExtras, newJob, T0 } from "../../helpers/jobs.ts";
import {
  buryOne,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  idsClaimed,
  LEASE_MS,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

const NOTHING_KNOWN = { duplicates: [], existing: new Map(), cancelled: new Set() };
const DONE = { event: "complete", result: "1" } as const;

/** A job that waits for others. */
function waiting(
  id: string,
  ids: string | string[],
  { on = "success", ...fields }: { on?: AfterCondition } & Partial<NewJob> = {},
): NewJob {
  const after = { ids: [ids].flat(), on };
  return newJob({ id, extras: newExtras({ after }), ...fields });
}

/** Ends the job "a" in each way. */
const ENDS: Record<string, (store: JobStore) => Promise<unknown>> = {
  completed: async (store) => settleOne(store, await claimOne(store), DONE),
  dead: (store) => buryOne(store),
  cancelled: (store) => store.cancel("a", T0),
  aborted: async (store) => settleOne(store, await claimOne(store), { event: "abort" }),
  lapsed: async (store) => {
    await claimOne(store);
    await reap(store);
  },
  "removed while it waits": (store) => store.remove("a", T0),
};

/** How many steps a transaction takes in passing; see the store's own head comment. */
const MANY = 10_000;

export function relationPromises({ test }: Suite): void {
  for (const [way, end] of Object.entries(ENDS)) {
    const isSuccess = way === "completed";
    for (const on of ["success", "failure", "any"] as const) {
      const runs = on === "any" || (on === "success") === isSuccess;
      test(`a job that waits for ${on} ${runs ? "runs" : "is cancelled"} when the other is ${way}`, async (store) => {
        await store.add([newJob({ id: "a", maxRetries: 0 }), waiting("b", "a", { on })], T0);
        const held = await find(store, "b");
        assert.equal(held.runAtMs, HELD_MS);
        assert.deepEqual(await idsClaimed(store, { free: 0 }), []);
        await end(store);
        const job = await find(store, "b");
        assert.equal(job.state, runs ? "pending" : "cancelled");
        assert.equal(job.lastError?.code, runs ? undefined : "dependency");
        if (!runs && way.startsWith("removed")) {
          assert.match(job.lastError!.message, /the job a, .*: it was deleted$/);
        }
        const nowMs = T0 + LEASE_MS;
        assert.deepEqual(await idsClaimed(store, { free: 9, nowMs }), runs ? ["b"] : []);
        const [dependency] = await store.dependencies(job.seq);
        assert.deepEqual([dependency!.id, dependency!.isMet], ["a", runs]);
      });

      if (way.startsWith("removed")) continue;
      test(`a job added after the other is ${way}, on ${on}, ${runs ? "runs" : "is cancelled"} at once`, async (store) => {
        await store.add([newJob({ id: "a", maxRetries: 0 })], T0);
        await end(store);
        const addition = await store.add([waiting("b", "a", { on })], T0);
        assert.deepEqual(addition, { ...NOTHING_KNOWN, cancelled: new Set(runs ? [] : [0]) });
        const job = await find(store, "b");
        assert.equal(job.state, runs ? "pending" : "cancelled");
        assert.deepEqual(await idsClaimed(store, { free: 9 }), runs ? ["b"] : []);
      });
    }
  }

  test("a job that waits for several runs after the last of them", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "b" }), waiting("c", ["a", "b"])], T0);
    const [a, b] = await claimJobs(store, { free: 3 });
    await settleOne(store, a!, DONE);
    assert.deepEqual(await idsClaimed(store, { free: 3 }), []);
    await settleOne(store, b!, DONE);
    assert.deepEqual(await idsClaimed(store, { free: 3 }), ["c"]);
  });

  test("a retry of the other does not end the wait", async (store) => {
    await store.add([newJob({ id: "a" }), waiting("b", "a", { on: "failure" })], T0);
    await settleOne(store, await claimOne(store), {
      event: "fail",
      error: EXIT_ERROR,
      dueAtMs: T0 + 5,
    });
    assert.deepEqual(await idsClaimed(store, { free: 3, nowMs: T0 + 5 }), ["a"]);
  });

  test("a waiting job is due when it is let go, or at its own later time", async (store) => {
    const laterMs = T0 + 60_000;
    await store.add([
      newJob({ id: "a" }),
      waiting("now", "a"),
      waiting("later", "a", { runAtMs: laterMs }),
    ], T0);
    const nowMs = T0 + 1_000;
    await settleOne(store, await claimOne(store), DONE, { nowMs });
    assert.equal((await find(store, "now")).runAtMs, nowMs);
    assert.equal((await find(store, "later")).runAtMs, laterMs);
  });

  test("a batch may name its own jobs, those that follow too", async (store) => {
    const addition = await store.add(
      [waiting("c", "b"), waiting("b", "a"), newJob({ id: "a" })],
      T0,
    );
    assert.deepEqual(addition, NOTHING_KNOWN);
    for (const id of ["a", "b", "c"]) {
      const job = await claimOne(store, { free: 3 });
      assert.equal(job.id, id);
      await settleOne(store, job, DONE);
    }
  });

  test("a job after one that does not exist is refused with all that comes with it", async (store) => {
    const addition = await store.add(
      [newJob({ id: "a" }), waiting("b", ["x", "a", "y"])],
      T0,
    );
    assert.deepEqual(addition.missing, ["x", "y"]);
    assert.equal(await store.find("a"), null);
    assert.equal(await store.find("b"), null);
  });

  test("in a batch a dead job to wait for cancels those that follow from it, whatever their order", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 0 })], T0);
    await buryOne(store);
    const jobs = [waiting("d", "c", { on: "failure" }), waiting("c", "b"), waiting("b", "a")];
    const addition = await store.add(jobs, T0);
    assert.deepEqual(addition.cancelled, new Set([1, 2]));
    assert.deepEqual(await idsClaimed(store, { free: 9 }), ["d"]);
  });

  test("a requeued dead job does not bring back those that it has cancelled", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 0 }), waiting("b", "a")], T0);
    await buryOne(store);
    await store.requeue("a", T0);
    await settleOne(store, await claimOne(store), DONE);
    assert.equal((await find(store, "b")).state, "cancelled");
  });

  test("a requeued job waits again for those that have not ended yet", async (store) => {
    await store.add([newJob({ id: "a" }), waiting("b", "a")], T0);
    await store.cancel("b", T0);
    await store.requeue("b", T0 + 1);
    assert.deepEqual(await idsClaimed(store, { free: 9 }), ["a"]);
    const a = await store.find("a");
    await settleOne(store, { seq: a!.seq, token: a!.token }, DONE, { nowMs: T0 + 2 });
    assert.deepEqual(await idsClaimed(store, { free: 9, nowMs: T0 + 2 }), ["b"]);
  });

  test("a requeued job runs although the one that it waited for is dead, cancelled or gone", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 0 }), waiting("b", "a")], T0);
    await buryOne(store);
    await store.requeue("b", T0);
    assert.deepEqual(await idsClaimed(store, { free: 9 }), ["b"]);
    const [dependency] = await store.dependencies((await find(store, "b")).seq);
    assert.equal(dependency!.isMet, false, "nobody claims that it has ended well");
  });

  test("a removed job leaves its dependents as they are when it has ended", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "x" }), waiting("b", ["a", "x"])], T0);
    const [a, x] = await claimJobs(store, { free: 2 });
    await settleOne(store, a!, DONE);
    await store.remove("a", T0);
    await settleOne(store, x!, DONE);
    assert.deepEqual(await idsClaimed(store, { free: 9 }), ["b"]);
    await store.add([newJob({ id: "a" })], T0); // the name is free again, and means another job
    const { seq } = await find(store, "b");
    assert.deepEqual((await store.dependencies(seq)).map(({ isMet }) => isMet), [true, true]);
  });

  test("what waits for others falls due for nobody, and counts as waiting", async (store) => {
    await store.add([newJob({ id: "a", runAtMs: T0 + 5_000 }), waiting("b", "a")], T0);
    const claim = await store.claim(() => ({
      ...{ holder: "h", nowMs: T0, leaseExpiresAtMs: T0 + LEASE_MS, slots: ["w-1"] },
      ...{ chunk: {}, chunkBytes: 1_000 },
    }));
    assert.equal(claim.nextDueAtMs, T0 + 5_000);
    assert.equal((await store.stats(T0)).counts.pending, 2);
    assert.equal(await store.rebase(T0 - 60_000), 0, "both wait for what somebody has named");
    assert.equal((await find(store, "b")).runAtMs, HELD_MS);
  });

  test("whoever watches is told when a job is let go", async (store) => {
    await store.add([newJob({ id: "a" }), waiting("b", "a")], T0);
    const lease = await claimOne(store);
    let calls = 0;
    using _watch = store.watch(() => calls++);
    await settleOne(store, lease, DONE);
    assert.ok(calls > 0, "nobody was told");
  });

  test("follow-ups that wait for each other in a circle do not wait for ever", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const followUps = [waiting("b", "c"), waiting("c", "b"), waiting("d", "b", { on: "any" })];
    await settleOne(store, await claimOne(store), { ...DONE, followUps });
    assert.equal((await find(store, "b")).state, "cancelled");
    assert.equal((await find(store, "c")).state, "cancelled");
    assert.deepEqual(await idsClaimed(store, { free: 9 }), ["d"]);
  });

  for (const shape of ["chain", "fan"] as const) {
    test(`the end of a job reaches ${MANY} others in a ${shape}, in steps`, async (store) => {
      const jobs = Array.from(
        { length: MANY },
        (_, index) =>
          waiting(`j-${index}`, shape === "fan" || index === 0 ? "a" : `j-${index - 1}`),
      );
      await store.add([newJob({ id: "a", maxRetries: 0 }), ...jobs], T0);
      await buryOne(store);
      const few = (await store.stats(T0)).counts.cancelled;
      assert.ok(few < MANY / 2, `${few} were cancelled in one step`);
      await reachesAll(store, "cancelled");
      assert.equal((await find(store, `j-${MANY - 1}`)).state, "cancelled");
    });
  }

  test("a follow-up whose id is in use, or stands twice among them, is not added again", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "there", priority: -1 })], T0);
    const followUps = [newJob({ id: "there" }), newJob({ id: "new" }), newJob({ id: "new" })];
    const ended = { ...await claimOne(store), outcome: { ...DONE, followUps } };
    const { answers, added } = await store.settle([ended], HOLDER, T0);
    assert.deepEqual([answers, added], [["settled"], [followUps[1]]], "and it says which it added");
    const { jobs } = await store.list({ limit: 10 });
    assert.deepEqual(jobs.map(({ id }) => id), ["new", "there", "a"]);
    assert.equal((await find(store, "there")).priority, -1, "it is the one that was there");
  });

  test("follow-ups may wait for the job that adds them, and for each other", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const followUps = [waiting("c", "b"), waiting("b", "a"), waiting("d", "nobody")];
    await settleOne(store, await claimOne(store), { ...DONE, followUps });
    assert.equal((await find(store, "d")).state, "cancelled");
    assert.match((await find(store, "d")).lastError!.message, /no such job/);
    for (const id of ["b", "c"]) {
      const job = await claimOne(store, { free: 3 });
      assert.equal(job.id, id);
      await settleOne(store, job, DONE);
    }
  });
}

/** Waits until all that was begun has ended. */
async function reachesAll(store: JobStore, state: "cancelled" | "pending"): Promise<void> {
  await eventually(async () => (await store.stats(T0)).counts[state] >= MANY, {
    what: "the cascade ended",
    timeoutMs: 300_000,
    everyMs: 100,
  });
}
