/** What the PostgreSQL store promises beyond the seam: one schema, honest refusals, lost connections. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, newJobs, T0 } from "../helpers/jobs.ts";
import {
  execute,
  openPostgresStore,
  startPostgres,
  tempPostgresStore,
  tempSchema,
} from "../helpers/postgres.ts";
import { claimJobs, listAll } from "../store/conformance/harness.ts";

const server = await startPostgres({ isOwn: true });

const KILL_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
  "WHERE application_name = 'queuectl'";

if (server !== null) {
  const { url, own } = server;

  Deno.test("several processes that open an empty database at once make its tables once", async () => {
    for (let round = 0; round < 5; round++) {
      await using schema = await tempSchema(server);
      const stores = await Promise.all(
        Array.from({ length: 6 }, () => openPostgresStore(schema.url)),
      );
      await Promise.all(stores.map((store) => store.add([newJob()], T0)));
      assert.equal((await stores[0]!.stats(T0)).counts.pending, 6);
      for (const store of stores) await store[Symbol.asyncDispose]();
    }
  });

  Deno.test("a newer schema is refused, and so are the tables of another program", async () => {
    await using schema = await tempSchema(server);
    await (await openPostgresStore(schema.url))[Symbol.asyncDispose]();
    await execute(schema.url, "UPDATE queuectl_schema SET generation = 999");
    await assert.rejects(openPostgresStore(schema.url), {
      code: "store-unavailable",
      message: /newer queuectl/,
    });
    await using other = await tempSchema(server);
    await execute(other.url, "CREATE TABLE jobs (id int)");
    await assert.rejects(openPostgresStore(other.url), {
      code: "store-unavailable",
      message: /another program/,
    });
    assert.deepEqual(
      await execute(
        other.url,
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
      ),
      [{ tablename: "jobs" }],
    );
  });

  Deno.test("connections that are killed while writing lose nothing and double nothing", async () => {
    await using temp = await tempPostgresStore(server);
    const { store } = temp;
    let isOver = false;
    const added: string[] = [];
    const killing = (async () => {
      while (!isOver) {
        const before = added.length;
        await execute(url, KILL_ALL);
        await pause(Math.random() * 40);
        // Where it takes longer than that to connect again, nothing would ever be written.
        while (!isOver && added.length === before) await pause(1);
      }
    })();
    for (let round = 0; round < 400; round++) {
      const jobs = newJobs(5);
      try {
        assert.deepEqual(await store.add(jobs, T0), { duplicates: [] });
        added.push(...jobs.map(({ id }) => id));
      } catch (error) {
        // Then nothing of it was written.
        assert.equal((error as { code?: unknown }).code, "store-unavailable", String(error));
      }
    }
    isOver = true;
    await killing;
    const stored = (await listAll(store)).map(({ id }) => id);
    assert.deepEqual(stored.sort(), added.sort());
    assert.equal((await store.stats(T0)).counts.pending, added.length);
    assert.ok(added.length > 100, `${added.length}`);
  });

  Deno.test("while the server is away calls fail at once and say so; then the same store works", async () => {
    await using temp = await tempPostgresStore(server);
    const { store } = temp;
    await store.add([newJob({ id: "before" })], T0);
    let calls = 0;
    using _watch = store.watch(() => calls++);
    await own!.stop("fast");
    // Not seen by writing: whose commit the end of the server interrupts is told what became of it.
    const refusal = await eventually(
      () => store.find("before").then(() => null, (error) => error),
      { what: "calls were refused" },
    );
    assert.equal(refusal.code, "store-unavailable", String(refusal));
    assert.match(refusal.message, /cannot use the database postgres:/);
    await assert.rejects(store.add([newJob()], T0), { code: "store-unavailable" });
    await own!.start();
    assert.equal((await listAll(store)).length, 1);
    await store.add([newJob({ id: "after" })], T0);
    assert.equal((await listAll(store)).length, 2);
    const other = await temp.openAgain();
    await eventually(async () => {
      const before = calls;
      await other.add([newJob()], T0);
      await pause(100);
      return calls > before;
    }, { what: "it hears of others again" });
  });

  Deno.test("a rate holds for a process whose clock is a little behind, too", async () => {
    await using temp = await tempPostgresStore(server);
    const other = await temp.openAgain();
    await temp.store.changeQueue("default", { rate: { limit: 3, periodMs: 1_000 } }, T0);
    await temp.store.add(newJobs(9, { runAtMs: T0 - 9_000 }), T0);
    assert.equal((await claimJobs(temp.store, { free: 9, nowMs: T0 + 5 })).length, 3);
    assert.equal((await claimJobs(other, { free: 9, nowMs: T0 })).length, 0);
    assert.equal((await claimJobs(other, { free: 9, nowMs: T0 + 1_005 })).length, 3);
    assert.equal((await claimJobs(temp.store, { free: 9, nowMs: T0 - 8_000 })).length, 0);
  });

  Deno.test("a claim that another process holds back is passed over, not waited for", async () => {
    await using temp = await tempPostgresStore(server);
    const other = await temp.openAgain();
    await temp.store.add(newJobs(200), T0);
    const claims = await Promise.all(
      [temp.store, other, temp.store, other].map((store) => claimJobs(store, { free: 50 })),
    );
    const ids = claims.flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.length >= 100, `${ids.length}`);
  });
}
