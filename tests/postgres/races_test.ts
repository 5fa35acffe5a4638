/** What several processes do in the same moment to what is tied together. Each round is one such moment. */
import assert from "node:assert/strict";
import type { LeasedJob } from "../../src/job/job.ts";
import { newExtras, newJob, newJobs, T0 } from "../helpers/jobs.ts";
import { execute, startPostgres, tempPostgresStore } from "../helpers/postgres.ts";
import { claimJobs, claimOne, reap, settleOne } from "../store/conformance/harness.ts";

const DONE = { event: "complete", result: "null" } as const;

const server = await startPostgres();

if (server !== null) {
  Deno.test("a job that waits for several is let go by the last, though they end in one moment", async () => {
    await using temp = await tempPostgresStore(server);
    const stores = [temp.store, await temp.openAgain(), await temp.openAgain()];
    for (let round = 0; round < 25; round++) {
      const ids = stores.map((_, index) => `${round}-${index}`);
      const extras = newExtras({ after: { ids, on: "success" } });
      const last = newJob({ id: `${round}-last`, runAtMs: T0, extras });
      await temp.store.add([...ids.map((id) => newJob({ id })), last], T0);
      const jobs = await claimJobs(temp.store, { free: stores.length });
      await Promise.all(jobs.map((job, index) => settleOne(stores[index]!, job, DONE)));
      const next = await claimOne(temp.store);
      assert.equal(next.id, last.id);
      await settleOne(temp.store, next, DONE);
    }
  });

  Deno.test("no job is handed out twice by claims of one moment", async () => {
    await using temp = await tempPostgresStore(server);
    const stores = [temp.store, await temp.openAgain(), await temp.openAgain()];
    await temp.store.add(newJobs(300), T0);
    const ids: string[] = [];
    for (let round = 0; round < 15; round++) {
      const claims = await Promise.all(stores.map((store) => claimJobs(store, { free: 5 })));
      ids.push(...claims.flat().map(({ id }) => id));
    }
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.length > 100, `${ids.length}`);
  });

  Deno.test("max-running holds for claims of one moment", async () => {
    await using temp = await tempPostgresStore(server);
    const stores = [temp.store, await temp.openAgain(), await temp.openAgain()];
    await temp.store.changeQueue("default", { maxRunning: 2 }, T0);
    await temp.store.add(newJobs(60), T0);
    for (let round = 0; round < 15; round++) {
      const claims = await Promise.all(stores.map((store) => claimJobs(store, { free: 2 })));
      const jobs = claims.flat();
      assert.equal(jobs.length, 2, `round ${round}`);
      for (const job of jobs) await settleOne(temp.store, job, DONE);
    }
  });

  Deno.test("max-running holds for claims of a long backlog, which read ahead", async () => {
    await using temp = await tempPostgresStore(server);
    const stores = [temp.store, await temp.openAgain(), await temp.openAgain()];
    const most = 300;
    await temp.store.changeQueue("default", { maxRunning: most }, T0);
    await temp.store.add(newJobs(6_000), T0);
    const running: LeasedJob[] = [];
    let ended = 0;
    for (let round = 0; running.length + ended < 6_000 && round < 500; round++) {
      const claims = await Promise.all(
        stores.map((store) => claimJobs(store, { free: 2, chunk: { count: 128 } })),
      );
      running.push(...claims.flat());
      assert.ok(running.length <= most, `${running.length} run in round ${round}`);
      const over = running.splice(0, 1 + round * 97 % running.length);
      ended += over.length;
      await Promise.all(over.map((job, index) => settleOne(stores[index % 3]!, job, DONE)));
    }
    assert.equal(running.length + ended, 6_000, "all were claimed");
    assert.equal(new Set(running.map(({ id }) => id)).size, running.length);
  });

  Deno.test("what a process that died had yet to tell of the end of a job, the next reap tells", async () => {
    await using temp = await tempPostgresStore(server);
    const { store, url } = temp;
    const after = { ids: ["a"], on: "success" } as const;
    const waiting = ["b", "c", "d"].map((id) => newJob({ id, extras: newExtras({ after }) }));
    await store.add([newJob({ id: "a" }), ...waiting], T0);
    const seqOf = async (id: string) => (await store.find(id))!.seq;
    const [ended, told] = [await seqOf("a"), await seqOf("b")];
    await execute(url, `UPDATE jobs SET state = 'cancelled' WHERE seq IN (${ended}, ${told})`);
    await execute(
      url,
      `INSERT INTO endings (seq, state, at, told_seq) VALUES (${ended}, 'cancelled', ${T0}, ${told})`,
    );
    await reap(store);
    assert.equal((await store.find("c"))!.state, "cancelled");
    assert.equal((await store.find("d"))!.lastError!.code, "dependency");
    assert.deepEqual(await execute(url, "SELECT seq FROM endings"), []);
  });
}
