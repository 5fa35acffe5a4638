/** What the store keeps for handlers of a user: how far attempts are, and which kinds there are. */
import assert from "node:assert/strict";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { claimOne, find, HOLDER, settleOne, type Suite } from "./harness.ts";

const DAY_MS = 86_400_000;

export function handlerPromises({ test }: Suite): void {
  test("saveProgress() keeps the last that an attempt has said", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "b", priority: -1 })], T0);
    const lease = await claimOne(store);
    assert.equal(await store.progress(lease), null);
    for (
      const said of [{ value: 0.25, text: "a quarter", atMs: T0 }, {
        value: 1,
        text: null,
        atMs: T0 + 5,
      }]
    ) {
      assert.equal(await store.saveProgress(lease, HOLDER, said), "settled");
      assert.deepEqual(await store.progress(lease), said);
    }
    assert.equal(await store.progress(await find(store, "b")), null);
    await settleOne(store, lease, { event: "complete", result: "1" });
    assert.equal((await store.progress(await find(store, "a")))?.value, 1, "also afterwards");
  });

  test("the next attempt begins without the progress of the one before", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const first = await claimOne(store);
    await store.saveProgress(first, HOLDER, { value: 0.5, text: null, atMs: T0 });
    await settleOne(store, first, { event: "release" });
    const second = await claimOne(store);
    assert.equal(await store.progress(second), null);
    assert.equal(await store.progress(await find(store, "a")), null);
  });

  test("kinds that were said once are known to everybody, each once", async (store) => {
    assert.deepEqual(await store.kinds(), []);
    await store.saveKinds(["resize", "mail"], T0);
    await store.saveKinds(["mail", "import"], T0 + 1);
    assert.deepEqual(await store.kinds(), ["import", "mail", "resize"]);
  });

  test("a kind that nobody has run for a month is forgotten", async (store) => {
    await store.saveKinds(["old", "still-there"], T0);
    await store.saveKinds(["still-there"], T0 + 29 * DAY_MS);
    assert.deepEqual(await store.kinds(), ["old", "still-there"]);
    await store.saveKinds(["new"], T0 + 31 * DAY_MS);
    assert.deepEqual(await store.kinds(), ["new", "still-there"]);
  });
}
