/** The promises of `stats()`. That the kept counts are right is checked after every test as well. */
import assert from "node:assert/strict";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  assertCountsAreRight,
  buryOne,
  claimJobs,
  claimOne,
  emptyCounts,
  EXIT_ERROR,
  HOLDER,
  LEASE_MS,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

const NOTHING = { added: 0, completed: 0, failedAttempts: 0, dead: 0, cancelled: 0 };
const MINUTE_MS = 60_000;

export function statsPromises({ test }: Suite): void {
  test("stats() of an empty store are zeros", async (store) => {
    assert.deepEqual(await store.stats(T0), {
      counts: emptyCounts(),
      queues: [],
      lastMinute: NOTHING,
      lastHour: NOTHING,
      oldestReadyAtMs: null,
    });
  });

  test("counts follow a job through every state", async (store) => {
    const counted = async () => {
      await assertCountsAreRight(store);
      const { counts } = await store.stats(T0);
      return Object.entries(counts).filter(([, jobs]) => jobs > 0).flat();
    };
    await store.add([newJob({ id: "a", maxRetries: 1 })], T0);
    assert.deepEqual(await counted(), ["pending", 1]);
    const first = await claimOne(store);
    assert.deepEqual(await counted(), ["started", 1]);
    await store.begin([first], HOLDER, T0);
    assert.deepEqual(await counted(), ["processing", 1]);
    await settleOne(store, first, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 });
    assert.deepEqual(await counted(), ["failed", 1]);
    await claimOne(store);
    await reap(store);
    assert.deepEqual(await counted(), ["dead", 1]);
    await store.requeue("a", T0);
    assert.deepEqual(await counted(), ["pending", 1]);
    await store.cancel("a", T0);
    assert.deepEqual(await counted(), ["cancelled", 1]);
    await store.requeue("a", T0);
    await settleOne(store, await claimOne(store), { event: "complete", result: "1" });
    assert.deepEqual(await counted(), ["completed", 1]);
    await store.remove("a", T0);
    assert.deepEqual(await counted(), []);
  });

  test("counts are kept for each queue", async (store) => {
    await store.add([...newJobs(3, { queue: "b" }), ...newJobs(2, { queue: "a" })], T0);
    const job = await claimOne(store);
    await settleOne(store, job, { event: "complete", result: "1" });
    const { queues } = await store.stats(T0);
    assert.deepEqual(queues.map(({ queue }) => queue), ["a", "b"]);
    const ofJob = queues.find(({ queue }) => queue === job.queue)!;
    assert.equal(ofJob.counts.completed, 1);
  });

  test("counts stay right when a call fails in the middle", async (store) => {
    await store.add(newJobs(3), T0);
    const broken = newJob({ runAtMs: "soon" as unknown as number });
    await assert.rejects(store.add([...newJobs(5), broken], T0));
    await assertCountsAreRight(store);
    assert.equal((await store.stats(T0)).counts.pending, 3);
    assert.equal((await store.stats(T0)).lastMinute.added, 3);
  });

  test("throughput of the last minute and hour counts what happened, by kind of end", async (store) => {
    await store.add(newJobs(6, { maxRetries: 1 }), T0);
    const jobs = await claimJobs(store, { free: 5 });
    await settleOne(store, jobs[0]!, { event: "complete", result: "1" });
    await settleOne(store, jobs[1]!, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 1e6 });
    await settleOne(store, jobs[2]!, { event: "bury", error: EXIT_ERROR });
    await settleOne(store, jobs[3]!, { event: "abort" });
    await settleOne(store, jobs[4]!, { event: "release" });
    const expected = { added: 6, completed: 1, failedAttempts: 2, dead: 1, cancelled: 1 };
    const { lastMinute, lastHour } = await store.stats(T0 + 1_000);
    assert.deepEqual(lastMinute, expected);
    assert.deepEqual(lastHour, expected);
  });

  test("throughput forgets what is older than its time", async (store) => {
    await store.add([newJob()], T0);
    const after = async (ms: number) => {
      const { lastMinute, lastHour } = await store.stats(T0 + ms);
      return [lastMinute.added, lastHour.added];
    };
    assert.deepEqual(await after(30_000), [1, 1]);
    assert.deepEqual(await after(2 * MINUTE_MS), [0, 1]);
    assert.deepEqual(await after(50 * MINUTE_MS), [0, 1]);
    assert.deepEqual(await after(62 * MINUTE_MS), [0, 0]);
  });

  test("throughput counts lapsed leases as failed attempts, and deaths by them", async (store) => {
    await store.add([newJob({ maxRetries: 0 }), newJob({ maxRetries: 1 })], T0);
    await claimJobs(store, { free: 2 });
    await reap(store);
    const { lastMinute } = await store.stats(T0 + LEASE_MS);
    assert.deepEqual([lastMinute.failedAttempts, lastMinute.dead], [2, 1]);
  });

  test("oldestReadyAtMs is the due time of the job that has been due for the longest", async (store) => {
    await store.add([
      newJob({ id: "later", runAtMs: T0 + 5_000 }),
      newJob({ queue: "a", priority: 9, runAtMs: T0 - 1_000 }),
      newJob({ id: "oldest", queue: "b", priority: -9, runAtMs: T0 - 4_000 }),
    ], T0);
    assert.equal((await store.stats(T0)).oldestReadyAtMs, T0 - 4_000);
    await store.cancel("oldest", T0);
    assert.equal((await store.stats(T0)).oldestReadyAtMs, T0 - 1_000);
    await claimJobs(store, { free: 5 });
    assert.equal((await store.stats(T0)).oldestReadyAtMs, null);
    assert.equal((await store.stats(T0 + 5_000)).oldestReadyAtMs, T0 + 5_000);
  });

  test("dead jobs are no ready jobs", async (store) => {
    await store.add([newJob()], T0);
    await buryOne(store);
    assert.equal((await store.stats(T0 + 1e6)).oldestReadyAtMs, null);
  });

  test("history() has every step up to now, oldest first, with what happened in each", async (store) => {
    const startMs = Math.floor(T0 / MINUTE_MS) * MINUTE_MS;
    await store.add(newJobs(3), startMs);
    await store.add([newJob({ id: "later" })], startMs + 2 * MINUTE_MS + 59_999);
    const query = { nowMs: startMs + 3 * MINUTE_MS, steps: 4, stepMs: MINUTE_MS };
    const history = await store.history(query);
    assert.deepEqual(history.map(({ fromMs, added }) => [(fromMs - startMs) / MINUTE_MS, added]), [
      [0, 3],
      [1, 0],
      [2, 1],
      [3, 0],
    ]);
    const fine = await store.history({ ...query, steps: 2, stepMs: 10_000 });
    assert.deepEqual(fine.map(({ added }) => added), [1, 0]);
  });
}
