/** The promises of `add()`. */
import assert from "node:assert/strict";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { claimOne, find, listAll, settleOne, snapshot, type Suite } from "./harness.ts";

export function addPromises({ test }: Suite): void {
  test("add() stores every field as it was given", async (store) => {
    const job = newJob({
      id: "a:1",
      queue: "mail",
      kind: "command",
      payload: '{"run":"ls"}',
      priority: -7,
      runAtMs: T0 + 5_000,
      maxRetries: 9,
      timeoutMs: 1_500,
    });
    assert.deepEqual(await store.add([job], T0), { duplicates: [] });
    const { seq, ...stored } = await find(store, "a:1");
    assert.ok(Number.isSafeInteger(seq));
    assert.deepEqual(stored, {
      id: "a:1",
      queue: "mail",
      kind: "command",
      state: "pending",
      priority: -7,
      runAtMs: T0 + 5_000,
      attempts: 0,
      maxRetries: 9,
      timeoutMs: 1_500,
      leaseHolder: null,
      worker: null,
      token: 0,
      leaseExpiresAtMs: null,
      cancelRequestedAtMs: null,
      lastError: null,
      createdAtMs: T0,
      updatedAtMs: T0,
      startedAtMs: null,
      finishedAtMs: null,
      result: null,
      options: null,
      key: null,
      isDependent: false,
      hasFiles: false,
    });
    assert.equal(await store.payload(seq), '{"run":"ls"}');
  });

  test("add() keeps the order of insertion, within one call and between calls", async (store) => {
    const jobs = newJobs(20);
    await store.add(jobs.slice(0, 10), T0);
    await store.add(jobs.slice(10), T0);
    const stored = (await listAll(store)).reverse().map(({ id }) => id);
    assert.deepEqual(stored, jobs.map(({ id }) => id));
  });

  test("add() of many calls at once stores all of them", async (store) => {
    const jobs = newJobs(200);
    await Promise.all(jobs.map((job) => store.add([job], T0)));
    assert.equal((await listAll(store)).length, 200);
  });

  test("add() names the ids that exist, and then inserts nothing", async (store) => {
    await store.add([newJob({ id: "one" }), newJob({ id: "two" })], T0);
    const before = await snapshot(store);
    const jobs = [newJob({ id: "new" }), newJob({ id: "two" }), newJob({ id: "one" }), newJob()];
    const { duplicates } = await store.add(jobs, T0 + 1);
    assert.deepEqual([...duplicates].sort(), ["one", "two"]);
    assert.deepEqual(await snapshot(store), before);
  });

  test("add() of the same id by two calls at once stores it once", async (store) => {
    const answers = await Promise.all(
      [1, 2, 3].map((priority) => store.add([newJob({ id: "same", priority })], T0)),
    );
    assert.deepEqual(answers.map(({ duplicates }) => duplicates.length).sort(), [0, 1, 1]);
    assert.equal((await listAll(store)).length, 1);
  });

  test("add() refuses an id that stands twice in one call, and inserts nothing", async (store) => {
    const jobs = [newJob({ id: "before" }), newJob({ id: "twin" }), newJob({ id: "twin" })];
    const isRefused = await store.add(jobs, T0)
      .then(({ duplicates }) => duplicates.length > 0, () => true);
    assert.ok(isRefused, "expected the call to be refused");
    assert.deepEqual(await listAll(store), []);
  });

  test("add() that fails leaves the calls beside it alone", async (store) => {
    const broken = newJob({ priority: { not: "a number" } as unknown as number });
    const answers = await Promise.allSettled([
      store.add([newJob({ id: "first" })], T0),
      store.add([newJob({ id: "half" }), broken], T0),
      store.add([newJob({ id: "last" })], T0),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assert.deepEqual((await listAll(store)).map(({ id }) => id), ["last", "first"]);
  });

  test("the place in the order of insertion is never used twice, nor is it after a removal", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "b" })], T0);
    const { seq } = await find(store, "b");
    await store.remove("b", T0);
    await store.add([newJob({ id: "b" })], T0);
    assert.ok((await find(store, "b")).seq > seq);
  });

  test("the id of a finished job is still in use; that of a removed one is free", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await settleOne(store, await claimOne(store), { event: "complete", result: "1" });
    assert.deepEqual(await store.add([newJob({ id: "a" })], T0), { duplicates: ["a"] });
    await store.remove("a", T0);
    assert.deepEqual(await store.add([newJob({ id: "a" })], T0), { duplicates: [] });
  });

  test("find() of an unknown id is null, whatever the id", async (store) => {
    for (const id of ["", "nobody", "x".repeat(10_000), "a'; DROP TABLE jobs; --", "a\0b", "%"]) {
      assert.equal(await store.find(id), null);
    }
  });
}
