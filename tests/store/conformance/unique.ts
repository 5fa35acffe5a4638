/** The promises about unique keys: at most one live job has one. */
import assert from "node:assert/strict";
import type { NewJob, OnConflict } from "../../../src/job/job.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newExtras, newJob, T0 } from "../../helpers/jobs.ts";
import {
  buryOne,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  idsClaimed,
  listAll,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

function unique(
  id: string,
  onConflict: OnConflict = "return",
  fields: Partial<NewJob> = {},
): NewJob {
  const extras = newExtras({ options: { uniqueKey: "k" }, unique: { key: "k", onConflict } });
  return newJob({ id, extras, maxRetries: 0, ...fields });
}

/** Every way in which the job "a" can end. */
const ENDS: Record<string, (store: JobStore) => Promise<unknown>> = {
  completed: async (store) =>
    settleOne(store, await claimOne(store), { event: "complete", result: "1" }),
  dead: (store) => buryOne(store),
  cancelled: (store) => store.cancel("a", T0),
  aborted: async (store) => settleOne(store, await claimOne(store), { event: "abort" }),
  reaped: async (store) => {
    await claimOne(store);
    await reap(store);
  },
  removed: (store) => store.remove("a", T0),
};

export function uniquePromises({ test }: Suite): void {
  test("add() returns the live job with the unique key, and inserts nothing", async (store) => {
    await store.add([unique("a")], T0);
    const addition = await store.add([unique("b"), newJob({ id: "c" })], T0);
    assert.deepEqual(addition.existing, new Map([[0, { id: "a", state: "pending", key: "k" }]]));
    assert.equal(await store.find("b"), null);
    assert.ok(await store.find("c"));
    const again = await store.add([unique("a")], T0);
    assert.equal(again.existing?.get(0)?.id, "a", "its own id is no conflict");
  });

  test("add() refuses a taken unique key when asked to, with all of the call", async (store) => {
    await store.add([unique("a")], T0);
    await claimOne(store);
    const { taken } = await store.add([newJob({ id: "c" }), unique("b", "refuse")], T0);
    assert.deepEqual(taken, [{ id: "a", state: "started", key: "k" }]);
    assert.equal(await store.find("c"), null);
  });

  test("add() replaces a job that waits, which is cancelled and says by whom", async (store) => {
    await store.add([unique("a")], T0);
    await store.add([unique("b", "replace")], T0);
    const { state, lastError } = await find(store, "a");
    assert.equal(state, "cancelled");
    assert.deepEqual(lastError, { code: "replaced", message: "replaced by the job b" });
    assert.equal((await store.add([unique("c")], T0)).existing?.get(0)?.id, "b");
  });

  test("add() replaces a job that waits for its retry, but none that runs", async (store) => {
    await store.add([unique("a", "return", { maxRetries: 3 })], T0);
    const lease = await claimOne(store);
    const { taken } = await store.add([unique("b", "replace")], T0);
    assert.deepEqual(taken?.map(({ id }) => id), ["a"]);
    await settleOne(store, lease, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 5 });
    await store.add([unique("b", "replace")], T0);
    assert.equal((await find(store, "a")).state, "cancelled");
    assert.deepEqual(await idsClaimed(store, { free: 3, nowMs: T0 + 9 }), ["b"]);
  });

  for (const [way, end] of Object.entries(ENDS)) {
    test(`a unique key is free again when its job is ${way}`, async (store) => {
      await store.add([unique("a")], T0);
      await end(store);
      const { taken, existing } = await store.add([unique("b", "refuse")], T0);
      assert.deepEqual([taken, existing?.size], [undefined, 0]);
      assert.ok(await store.find("b"));
    });
  }

  test("requeue() takes the unique key again, or is refused", async (store) => {
    await store.add([unique("a")], T0);
    await buryOne(store);
    assert.equal((await store.requeue("a", T0)).result, "changed");
    assert.equal((await store.add([unique("b")], T0)).existing?.get(0)?.id, "a");
    await buryOne(store);
    await store.add([unique("b")], T0);
    const change = await store.requeue("a", T0);
    assert.ok(change.result === "refused" && change.isKeyTaken);
    assert.equal((await find(store, "a")).state, "dead");
  });

  test("requeueDead() leaves those whose unique key is taken, by each other too", async (store) => {
    for (const id of ["a", "b"]) {
      await store.add([unique(id)], T0);
      await buryOne(store);
    }
    await store.add([newJob({ id: "c", maxRetries: 0 })], T0);
    await buryOne(store);
    assert.equal(await store.requeueDead(T0, 100), 2);
    assert.equal(await store.requeueDead(T0, 100), 0);
    assert.equal((await store.stats(T0)).counts.dead, 1);
    assert.equal(await store.countUnrequeueable(), 1);
  });

  test("the same unique key twice in one call is refused", async (store) => {
    const { taken } = await store.add([unique("a"), unique("b")], T0);
    assert.deepEqual(taken?.map(({ id }) => id), ["a"]);
    assert.deepEqual(await listAll(store), []);
  });

  test("who is to wait for a job that another one stands for waits for that one", async (store) => {
    await store.add([unique("a")], T0);
    const after = newJob({ id: "c", extras: newExtras({ after: { ids: ["b"], on: "success" } }) });
    await store.add([unique("b"), after], T0);
    const dependencies = await store.dependencies((await find(store, "c")).seq);
    assert.deepEqual(dependencies.map(({ id }) => id), ["a"]);
    await settleOne(store, await claimOne(store), { event: "complete", result: "1" });
    assert.deepEqual(await idsClaimed(store), ["c"]);
  });

  test("a follow-up whose unique key a live job has is not added, whatever it asks for", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const lease = await claimOne(store);
    await store.add([unique("u")], T0);
    const followUps = [
      unique("v", "refuse"),
      unique("w"),
      newJob({ id: "x" }),
      newJob({ id: "a" }),
    ];
    const outcome = { event: "complete", result: "1", followUps } as const;
    const { answers, added } = await store.settle([{ ...lease, outcome }], HOLDER, T0);
    assert.deepEqual([answers, added], [["settled"], [followUps[2]]], "and it says which it added");
    assert.deepEqual((await listAll(store)).map(({ id }) => id).sort(), ["a", "u", "x"]);
  });

  test("two connections that add the same unique key get one job", async (store, fresh) => {
    const other = await fresh.openAgain();
    const additions = await Promise.all(
      Array.from(
        { length: 60 },
        (_, index) => [store, other][index % 2]!.add([unique(`u-${index}`)], T0),
      ),
    );
    const ids = additions.map((addition, index) => addition.existing?.get(0)?.id ?? `u-${index}`);
    assert.equal(new Set(ids).size, 1);
    assert.equal((await listAll(store)).length, 1);
  });

  test("a full queue still tells of the live job with the unique key", async (store) => {
    await store.add([unique("a")], T0);
    const limits = { mostWaiting: 1 };
    assert.equal((await store.add([unique("b")], T0, limits)).existing?.size, 1);
    assert.equal((await store.add([newJob({ id: "c" })], T0, limits)).waiting, 1);
  });
}
