/** The promises of `list()`. */
import assert from "node:assert/strict";
import { STATES } from "../../../src/job/state.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { buryOne, claimJobs, find, HOLDER, listAll, settleOne, type Suite } from "./harness.ts";
import type { JobStore } from "../../../src/store/store.ts";
import type { ListQuery } from "../../../src/store/store.ts";

const idsOf = async (store: JobStore, query: Partial<ListQuery> = {}) =>
  (await store.list({ limit: 100, ...query })).jobs.map(({ id }) => id);

export function listPromises({ test }: Suite): void {
  test("list() of an empty store is an empty page, the last", async (store) => {
    assert.deepEqual(await store.list({ limit: 10 }), { jobs: [], nextSeq: null });
  });

  test("list() shows jobs as find() does, newest first", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "b" }), newJob({ id: "c" })], T0);
    const { jobs } = await store.list({ limit: 10 });
    assert.deepEqual(jobs, [
      await find(store, "c"),
      await find(store, "b"),
      await find(store, "a"),
    ]);
  });

  test("list() pages through everything, each job once", async (store) => {
    const ids = newJobs(23).map(({ id }) => id);
    await store.add(ids.map((id) => newJob({ id })), T0);
    for (const limit of [1, 5, 22, 23, 24]) {
      const seen: string[] = [];
      let beforeSeq: number | undefined;
      do {
        const page = await store.list({ limit, beforeSeq });
        assert.ok(page.jobs.length <= limit);
        seen.push(...page.jobs.map(({ id }) => id));
        beforeSeq = page.nextSeq ?? undefined;
      } while (beforeSeq !== undefined);
      assert.deepEqual(seen, ids.toReversed(), `limit ${limit}`);
    }
  });

  test("the last page says so, also when it is exactly full", async (store) => {
    await store.add(newJobs(4), T0);
    const first = await store.list({ limit: 2 });
    assert.notEqual(first.nextSeq, null);
    const last = await store.list({ limit: 2, beforeSeq: first.nextSeq! });
    assert.equal(last.nextSeq, null);
  });

  test("jobs added while somebody pages shift nothing", async (store) => {
    await store.add(newJobs(10), T0);
    const before = (await listAll(store)).map(({ id }) => id);
    const first = await store.list({ limit: 5 });
    await store.add(newJobs(7), T0);
    const second = await store.list({ limit: 5, beforeSeq: first.nextSeq! });
    assert.deepEqual([...first.jobs, ...second.jobs].map(({ id }) => id), before);
  });

  test("list() filters by each state and by several", async (store) => {
    await store.add(newJobs(7), T0);
    await buryOne(store);
    const [started, processing, completed, failed] = await claimJobs(store, { free: 4 });
    await store.begin([processing!], HOLDER, T0);
    await settleOne(store, completed!, { event: "complete", result: "1" });
    const error = { code: "error", message: "x" } as const;
    await settleOne(store, failed!, { event: "fail", error, dueAtMs: T0 + 1 });
    const all = await listAll(store);
    await store.cancel(all[0]!.id, T0);
    const states = (await listAll(store)).map(({ state }) => state);
    assert.deepEqual(new Set(states), new Set(STATES));
    for (const state of STATES) {
      const { jobs } = await store.list({ limit: 10, states: [state] });
      assert.deepEqual(jobs.map((job) => job.state), [state]);
    }
    const several = ["dead", "started", "pending"] as const;
    const { jobs } = await store.list({ limit: 10, states: several });
    assert.equal(jobs.length, 3);
    const seqs = jobs.map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.toSorted((one, other) => other - one));
    assert.ok(jobs.some(({ id }) => id === started!.id));
  });

  test("list() of several states pages newest first across them", async (store) => {
    await store.add(newJobs(12), T0);
    for (let turn = 0; turn < 3; turn++) await buryOne(store);
    await claimJobs(store, { free: 4 });
    const expected = (await listAll(store)).map(({ id }) => id);
    const states = ["pending", "dead", "started"] as const;
    const seen: string[] = [];
    let beforeSeq: number | undefined;
    do {
      const page = await store.list({ limit: 5, beforeSeq, states });
      seen.push(...page.jobs.map(({ id }) => id));
      beforeSeq = page.nextSeq ?? undefined;
    } while (beforeSeq !== undefined);
    assert.deepEqual(seen, expected);
  });

  test("list() filters by queue and by kind, and by all filters together", async (store) => {
    await store.add([
      newJob({ id: "a", queue: "mail", kind: "count" }),
      newJob({ id: "b", queue: "mail", kind: "command" }),
      newJob({ id: "c", queue: "default", kind: "command" }),
    ], T0);
    assert.deepEqual(await idsOf(store, { queue: "mail" }), ["b", "a"]);
    assert.deepEqual(await idsOf(store, { kind: "command" }), ["c", "b"]);
    assert.deepEqual(await idsOf(store, { queue: "mail", kind: "command" }), ["b"]);
    const all = { queue: "mail", kind: "count", states: ["pending"] } as const;
    assert.deepEqual(await idsOf(store, all), ["a"]);
    assert.deepEqual(await idsOf(store, { queue: "nobody" }), []);
    assert.deepEqual(await idsOf(store, { states: ["dead"] }), []);
  });

  test("list() before the oldest job is an empty page", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const { seq } = await find(store, "a");
    assert.deepEqual(await store.list({ limit: 5, beforeSeq: seq }), { jobs: [], nextSeq: null });
  });
}
