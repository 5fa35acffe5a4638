/** The promises to several processes that use one store at the same time. */
import assert from "node:assert/strict";
import { eventually } from "../../helpers/eventually.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  assertCountsAreRight,
  claim,
  claimJobs,
  claimOne,
  find,
  HOLDER,
  idsClaimed,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

export function connectionPromises({ test }: Suite): void {
  test("what one connection has written, another reads at once", async (store, fresh) => {
    const other = await fresh.openAgain();
    await store.add([newJob({ id: "a" })], T0);
    assert.equal((await find(other, "a")).state, "pending");
    const job = await claimOne(other, { holder: "process-b" });
    assert.equal((await find(store, "a")).state, "started");
    assert.equal(await settleOne(store, job, { event: "release" }), "lease-lost");
    const outcome = { event: "complete", result: "1" } as const;
    assert.equal(await settleOne(other, job, outcome, { holder: "process-b" }), "settled");
    assert.equal((await find(store, "a")).state, "completed");
  });

  test(
    "claims by several connections at once never overlap, and leave nothing",
    async (store, fresh) => {
      const stores = [store, await fresh.openAgain(), await fresh.openAgain()];
      await store.add(newJobs(240), T0);
      const drain = async (one: typeof store, holder: string) => {
        const ids: string[] = [];
        while (true) {
          const { slots, isMoreDue } = await claim(one, { holder, free: 3, chunk: { count: 2 } });
          ids.push(...slots.flatMap(({ jobs }) => jobs.map(({ id }) => id)));
          if (slots.length === 0 && !isMoreDue) return ids;
        }
      };
      const drained = await Promise.all(stores.map((one, index) => drain(one, `process-${index}`)));
      assert.equal(drained.flat().length, 240);
      assert.equal(new Set(drained.flat()).size, 240);
    },
  );

  test("an id added by several connections at once is stored once", async (store, fresh) => {
    const stores = [store, await fresh.openAgain(), await fresh.openAgain()];
    const answers = await Promise.all(
      stores.map((one) => one.add([newJob({ id: "same" }), newJob()], T0)),
    );
    assert.equal(answers.filter(({ duplicates }) => duplicates.length === 0).length, 1);
    assert.equal((await store.stats(T0)).counts.pending, 2);
  });

  test("leases of a process that died are taken back by another", async (store, fresh) => {
    await store.add([newJob({ id: "a" })], T0);
    await claimOne(store);
    await store[Symbol.asyncDispose]();
    const other = await fresh.openAgain();
    await reap(other, { nowMs: T0 + 1, deadHolders: [HOLDER] });
    assert.equal((await find(other, "a")).state, "failed");
  }, { isClosed: true });

  test("reaping by several connections at once counts each lapse once", async (store, fresh) => {
    const other = await fresh.openAgain();
    await store.add(newJobs(20), T0);
    await idsClaimed(store, { free: 20 });
    const reaped = (await Promise.all([reap(store), reap(other)])).flat();
    assert.equal(reaped.length, 20);
    await assertCountsAreRight(other);
  });

  test("counts stay right when several connections write at once", async (store, fresh) => {
    const stores = [store, await fresh.openAgain()];
    await Promise.all(stores.map(async (one, index) => {
      const holder = `process-${index}`;
      for (let round = 0; round < 10; round++) {
        await one.add(newJobs(3, { queue: `q${round % 2}` }), T0);
        const { slots } = await claim(one, { holder, free: 2 });
        for (const job of slots.flatMap(({ jobs }) => jobs)) {
          await settleOne(one, job, { event: "complete", result: "1" }, { holder });
        }
      }
    }));
    await assertCountsAreRight(store);
    const { counts } = await store.stats(T0);
    assert.equal(counts.pending + counts.completed, 60);
  });

  test(
    "from the moment one connection follows, what another does is in the journal",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.add([newJob({ id: "before" })], T0);
      const afterId = await other.follow(other.clock() + 60_000);
      // The first is written without a look at what is there; for the second its id is looked up.
      const first = newJob();
      await store.add([first], T0);
      await store.add([newJob({ id: "told" })], T0);
      const { batches } = await other.journal({ afterId, limit: 10 });
      const ids = batches.flatMap(({ events }) =>
        events.map((event) => "jobId" in event ? event.jobId : event.type)
      );
      assert.deepEqual(ids, [first.id, "told"]);
    },
  );

  test(
    "from the moment one connection follows, ends by another are in the journal",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.add(newJobs(3), T0);
      const [first, second] = await claimJobs(store, { free: 2 });
      const complete = { event: "complete", result: "1" } as const;
      const afterId = await other.follow(other.clock() + 60_000);
      // A claim of the same commit looks at what is there.
      await Promise.all([settleOne(store, first!, complete), claimOne(store)]);
      await settleOne(store, second!, complete);
      const { batches } = await other.journal({ afterId, limit: 10 });
      const completed = batches.flatMap(({ events }) =>
        events.flatMap((event) => event.type === "job.completed" ? [event.jobId] : [])
      );
      assert.deepEqual(completed, [first!.id, second!.id]);
    },
  );

  test(
    "ends of one commit are taken or refused each by itself, and counted once",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      await store.add(newJobs(4), T0);
      const jobs = await claimJobs(store, { free: 4 });
      await other.cancel(jobs[0]!.id, T0);
      await reap(other, { deadHolders: [HOLDER], nowMs: T0 + 1 });
      await claimOne(other, { holder: "process-b", nowMs: T0 + 3_600_000 });
      await store.add(newJobs(3), T0);
      const more = await claimJobs(store, { free: 3 });
      const complete = { event: "complete", result: "1" } as const;
      const answers = await Promise.all(
        [...jobs, ...more].map((job) => settleOne(store, job, complete)),
      );
      assert.deepEqual(answers, [
        ...jobs.map(() => "lease-lost"),
        ...more.map(() => "settled"),
      ]);
      assert.equal((await store.stats(T0)).counts.completed, 3);
    },
  );

  test(
    "watch() calls back when another connection has written, until it is disposed",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      let calls = 0;
      let callsOfDisposed = 0;
      using _watch = store.watch(() => calls++);
      const disposed = store.watch(() => callsOfDisposed++);
      disposed[Symbol.dispose]();
      for (let round = 1; round <= 3; round++) {
        const before = calls;
        await other.add([newJob()], T0);
        await eventually(() => calls > before, {
          what: `watch() called back for change ${round} by another connection`,
        });
      }
      assert.equal(callsOfDisposed, 0);
    },
  );
}
