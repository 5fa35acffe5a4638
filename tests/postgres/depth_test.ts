/** The limit on jobs that wait, when several processes add at the same moment. */
import assert from "node:assert/strict";
import { isRefused } from "../../src/store/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJobs, T0 } from "../helpers/jobs.ts";
import { execute, startPostgres, tempPostgresStore } from "../helpers/postgres.ts";

const WAITING = "SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' " +
  "AND objid = 5 AND NOT granted AND " +
  "classid = (hashtext('queuectl:' || current_schema())::bigint & 4294967295)::oid";

const server = await startPostgres();

if (server !== null) {
  for (
    const [what, mostWaiting, batch] of [
      ["one job at a time", 60, 1],
      ["several at a time", 500, 7],
      ["more at a time than go beside each other", 300, 40],
    ] as const
  ) {
    Deno.test(`processes that add together fill the queue to the job: ${what}`, async () => {
      await using temp = await tempPostgresStore(server);
      const stores = [temp.store];
      for (let more = 0; more < 7; more++) stores.push(await temp.openAgain());
      const added = await Promise.all(stores.map(async (store) => {
        for (let count = 0;; count++) {
          const addition = await store.add(newJobs(batch), T0, { mostWaiting });
          if (isRefused(addition)) return count;
        }
      }));
      const expected = Math.floor(mostWaiting / batch);
      assert.equal(added.reduce((sum, count) => sum + count), expected);
      assert.equal((await temp.store.stats(T0)).counts.pending, expected * batch);
    });
  }

  Deno.test("who adds without a limit waits for nobody who fills the queue", async () => {
    await using temp = await tempPostgresStore(server);
    const { default: pg } = await import("pg");
    const holder = new pg.Client({ connectionString: temp.url });
    await holder.connect();
    try {
      // As a process does in the midst of adding alone.
      await holder.query(
        "SELECT pg_advisory_lock(hashtext('queuectl:' || current_schema()), 5)",
      );
      assert.deepEqual(await temp.store.add(newJobs(3), T0), { duplicates: [] });
      let isAdded = false;
      const adding = temp.store.add(newJobs(3), T0, { mostWaiting: 100 }).then((addition) => {
        isAdded = true;
        return addition;
      });
      await eventually(
        async () => (await execute(temp.url, WAITING))[0]!["waiting"] === 1,
        { what: "who has a limit waits" },
      );
      assert.equal(isAdded, false);
      await holder.query("SELECT pg_advisory_unlock_all()");
      assert.deepEqual(await adding, { duplicates: [] });
    } finally {
      await holder.end();
    }
  });
}
