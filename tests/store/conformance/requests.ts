/** The promises about requests that are sent again. */
import assert from "node:assert/strict";
import type { RequestKey } from "../../../src/store/store.ts";
import { newExtras, newJob, T0 } from "../../helpers/jobs.ts";
import { bytesOf, listAll, reap, type Suite } from "./harness.ts";

const DAY_MS = 24 * 3_600_000;

const asRequest = (changes: Partial<RequestKey> = {}) => ({
  mostWaiting: null,
  request: { caller: "ci", key: "k", fingerprint: bytesOf("one"), ...changes },
});

export function requestPromises({ test }: Suite): void {
  test("add() of a request that came before adds nothing and tells what became of it", async (store) => {
    const jobs = [newJob(), newJob()];
    await store.add(jobs, T0, asRequest());
    const { replay } = await store.add([newJob(), newJob()], T0 + 5, asRequest());
    assert.deepEqual(replay, jobs.map(({ id }) => ({ id, state: "pending", isNew: true })));
    assert.equal((await listAll(store)).length, 2);
  });

  test("add() tells again which jobs were there already, and which were cancelled at once", async (store) => {
    const extras = newExtras({ unique: { key: "u", onConflict: "return" } });
    await store.add([newJob({ id: "u", extras })], T0);
    await store.add([newJob({ id: "a" })], T0);
    await store.cancel("a", T0);
    const after = newExtras({ after: { ids: ["a"], on: "success" } });
    const jobs = [newJob({ extras }), newJob({ id: "b", extras: after })];
    await store.add(jobs, T0, asRequest());
    await store.cancel("u", T0);
    const { replay } = await store.add(jobs, T0, asRequest());
    assert.deepEqual(replay, [
      { id: "u", state: "pending", isNew: false },
      { id: "b", state: "cancelled", isNew: true },
    ]);
  });

  test("add() of another request under the same key is refused", async (store) => {
    await store.add([newJob()], T0, asRequest());
    const other = asRequest({ fingerprint: bytesOf("two") });
    assert.equal((await store.add([newJob()], T0, other)).isRequestDifferent, true);
    assert.equal((await listAll(store)).length, 1);
  });

  test("callers do not share their keys", async (store) => {
    await store.add([newJob()], T0, asRequest());
    await store.add([newJob()], T0, asRequest({ caller: "other" }));
    assert.equal((await listAll(store)).length, 2);
  });

  test("a request that was refused may come again", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = newJob({ id: "a" });
    assert.deepEqual((await store.add([job], T0, asRequest())).duplicates, ["a"]);
    await store.remove("a", T0);
    assert.equal((await store.add([job], T0, asRequest())).replay, undefined);
    assert.ok(await store.find("a"));
  });

  test("a request is forgotten after a day, and swept with the next reaps", async (store) => {
    await store.add([newJob()], T0, asRequest());
    assert.ok((await store.add([newJob()], T0 + DAY_MS - 1, asRequest())).replay);
    await reap(store, { nowMs: T0 + DAY_MS - 1 });
    assert.ok((await store.add([newJob()], T0 + DAY_MS - 1, asRequest())).replay);
    await reap(store, { nowMs: T0 + DAY_MS });
    assert.equal((await store.add([newJob()], T0 + 1, asRequest())).replay, undefined, "swept");
    assert.equal(
      (await store.add([newJob()], T0 + DAY_MS + 1, asRequest())).replay,
      undefined,
      "too old, although it was not swept",
    );
  });

  test("of many connections with the same request one adds its job", async (store, fresh) => {
    const other = await fresh.openAgain();
    const additions = await Promise.all(
      Array.from(
        { length: 40 },
        (_, index) => [store, other][index % 2]!.add([newJob()], T0, asRequest()),
      ),
    );
    assert.equal(additions.filter(({ replay }) => replay === undefined).length, 1);
    assert.equal((await listAll(store)).length, 1);
  });
}
