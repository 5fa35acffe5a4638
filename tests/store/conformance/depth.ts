/** The promises of the limit on jobs that wait. */
import assert from "node:assert/strict";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { buryOne, claimOne, EXIT_ERROR, listAll, settleOne, type Suite } from "./harness.ts";

const FULL_AT_3 = { mostWaiting: 3 };

export function depthPromises({ test }: Suite): void {
  test("add() fills the queue up to the limit exactly, over all queues together", async (store) => {
    const added = { duplicates: [] };
    assert.deepEqual(await store.add([newJob({ queue: "a" })], T0, FULL_AT_3), added);
    const two = [newJob({ queue: "b" }), newJob({ queue: "c" })];
    assert.deepEqual(await store.add(two, T0, FULL_AT_3), added);
    const full = { duplicates: [], waiting: 3 };
    assert.deepEqual(await store.add([newJob({ queue: "d" })], T0, FULL_AT_3), full);
    assert.equal((await listAll(store)).length, 3);
  });

  test("add() over the limit inserts nothing of the batch", async (store) => {
    await store.add(newJobs(2), T0);
    const answer = await store.add(newJobs(2), T0, FULL_AT_3);
    assert.deepEqual(answer, { duplicates: [], waiting: 2 });
    assert.equal((await listAll(store)).length, 2);
  });

  test("adds that share a commit count each other", async (store) => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => store.add([newJob()], T0, FULL_AT_3)),
    );
    assert.equal(answers.filter(({ waiting }) => waiting === undefined).length, 3);
    assert.equal((await listAll(store)).length, 3);
  });

  test("jobs that run or are finished do not count; those that wait for a retry do", async (store) => {
    const isFull = async () =>
      (await store.add([newJob({ id: "probe" })], T0, { mostWaiting: 1 })).waiting !== undefined;
    await store.add([newJob({ id: "a" })], T0);
    assert.equal(await isFull(), true);
    const job = await claimOne(store);
    assert.equal(await isFull(), false);
    await store.remove("probe", T0);
    await settleOne(store, job, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 });
    assert.equal(await isFull(), true);
    await buryOne(store);
    assert.equal(await isFull(), false);
  });

  test("without a limit, and with an id that exists, the limit is not spoken of", async (store) => {
    await store.add(newJobs(5), T0);
    assert.deepEqual(await store.add([newJob({ id: "a" })], T0), { duplicates: [] });
    const again = await store.add([newJob({ id: "a" })], T0, FULL_AT_3);
    assert.deepEqual(again, { duplicates: ["a"] });
  });
}
