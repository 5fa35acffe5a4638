/** What stands between and pools sessions: one that keeps them apart is fine, others are refused. */
import assert from "node:assert/strict";
import { newJob, T0 } from "../helpers/jobs.ts";
import { execute, openPostgresStore, startPostgres } from "../helpers/postgres.ts";
import { startPooler } from "../helpers/pooler.ts";

const server = await startPostgres();

if (server !== null) {
  const { username: user, port } = new URL(server.url);
  const serverPort = Number(port || 5432);
  const database = `pooled_${crypto.randomUUID().replaceAll("-", "")}`;
  const open = (poolerPort: number) =>
    openPostgresStore(`postgres://${user}@127.0.0.1:${poolerPort}/${database}`);
  const test = (promise: string, prove: () => Promise<void>) =>
    Deno.test(promise, async () => {
      await execute(server.url, `CREATE DATABASE ${database}`);
      try {
        await prove();
      } finally {
        await execute(server.url, `DROP DATABASE ${database} WITH (FORCE)`);
      }
    });

  test("a pooler that gives each transaction another session is refused at the start", async () => {
    await using pooler = startPooler("transaction", { serverPort, user, database });
    await assert.rejects(open(pooler.port), {
      code: "store-unavailable",
      message: /a pooler stands between .* expected pool_mode = session/,
    });
  });

  test("behind a pooler that keeps sessions the store works", async () => {
    await using pooler = startPooler("session", { serverPort, user, database });
    const store = await open(pooler.port);
    assert.deepEqual(await store.add([newJob({ id: "a" })], T0), { duplicates: [] });
    assert.equal((await store.find("a"))?.id, "a");
    await store[Symbol.asyncDispose]();
  });
}
