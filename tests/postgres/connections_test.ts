/** What the connections of one process do when others, or each other, are in the way. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { LOCKS } from "../../src/store/postgres/migrate.ts";
import { Reader } from "../../src/store/postgres/reader.ts";
import { Server } from "../../src/store/postgres/server.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, newJobs, T0 } from "../helpers/jobs.ts";
import {
  execute,
  openPostgresStore,
  startPostgres,
  tempPostgresStore,
  tempSchema,
} from "../helpers/postgres.ts";
import { TcpProxy } from "../helpers/tcp_proxy.ts";
import {
  assertCountsAreRight,
  claim,
  claimJobs,
  HOLDER,
  settleOne,
} from "../store/conformance/harness.ts";

/** Looks into one table, waits until it may go on, and looks into another one. */
const LOOK = `
  CREATE TABLE one (); CREATE TABLE other ();
  CREATE FUNCTION look() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    PERFORM FROM one;
    PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema()));
    PERFORM FROM other;
    RETURN 'seen';
  END $$`;

const server = await startPostgres();

if (server !== null) {
  const connect = async (url: string) => {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client;
  };

  Deno.test("a read that is given up because of a deadlock is made again, and answered", async () => {
    await using schema = await tempSchema(server);
    await execute(schema.url, LOOK);
    // The server gives up whoever looks first whether there is one.
    const hasty = schema.url.replace("search_path", "deadlock_timeout%3D50ms%20-c%20search_path");
    const reader = new Reader(new Server(hasty));
    const [gate, step] = await Promise.all([connect(schema.url), connect(schema.url)]);
    const waits = (where: string) =>
      eventually(
        async () =>
          (await execute(schema.url, `SELECT pid FROM pg_locks WHERE NOT granted AND ${where}`))
            .length > 0,
        { what: `somebody waited, ${where}` },
      );
    try {
      await step.query("SET deadlock_timeout = '1h'");
      await gate.query("SELECT pg_advisory_lock(hashtext(current_schema()))");
      await step.query("BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE");
      const reading = reader.get("SELECT look() AS what");
      reading.catch(() => {}); // told of below
      await waits(
        "locktype = 'advisory' AND pid IN (SELECT pid FROM pg_locks " +
          "WHERE relation = 'one'::regclass AND granted)",
      );
      const locking = step.query("LOCK TABLE one IN ACCESS EXCLUSIVE MODE");
      await waits("relation = 'one'::regclass");
      await gate.query("SELECT pg_advisory_unlock_all()");
      await locking; // the read has given way
      await step.query("COMMIT");
      assert.deepEqual(await reading, { what: "seen" });
    } finally {
      await Promise.all([gate.end(), step.end()]);
      await reader.close();
    }
  });

  Deno.test("of reads that go to the server together, one that fails fails alone", async () => {
    const reader = new Reader(new Server(server.url));
    try {
      const isBad = (index: number) => index % 7 === 3;
      const reads = await Promise.allSettled(Array.from({ length: 200 }, (_, index) => {
        return reader.get(
          "SELECT 6 / $1::int AS part, $2::int AS index",
          isBad(index) ? 0 : 2,
          index,
        );
      }));
      for (const [index, read] of reads.entries()) {
        if (isBad(index)) assert.equal(read.status, "rejected", `read ${index}`);
        else assert.deepEqual(read, { status: "fulfilled", value: { part: 3, index } });
      }
    } finally {
      await reader.close();
    }
  });

  Deno.test("reads that wait for a connection when all is closed are refused, not forgotten", async () => {
    const reader = new Reader(new Server(server.url));
    const reads = Array.from(
      { length: 40 },
      () => reader.get("SELECT pg_sleep(0.2)::text AS slept"),
    );
    const settled = Promise.allSettled(reads);
    await reads[0];
    await reader.close();
    for (const read of await settled) {
      if (read.status === "fulfilled") continue;
      assert.equal((read.reason as { code?: unknown }).code, "store-unavailable");
    }
    await assert.rejects(reader.get("SELECT 1 AS one"), { code: "store-unavailable" });
  });

  Deno.test("a commit whose answer is lost with its connection is told of as made, and made once", async () => {
    await using schema = await tempSchema(server);
    await using proxy = new TcpProxy(server.port);
    await using store = await openPostgresStore(proxy.through(schema.url));
    await store.add([newJob({ id: "before" })], T0);
    for (const id of ["fresh", "chosen"]) {
      proxy.loseAnswer("COMMIT\0");
      const addition = await store.add([newJob({ id, isIdFresh: id === "fresh" })], T0);
      assert.deepEqual(addition, { duplicates: [] });
    }
    const rows = await execute(schema.url, "SELECT id FROM jobs ORDER BY seq");
    assert.deepEqual(rows.map(({ id }) => id), ["before", "fresh", "chosen"]);
    assert.equal((await store.stats(T0)).counts.pending, 3);
  });

  Deno.test("ends of attempts are counted once, wherever the connection is lost on their way", async () => {
    await using schema = await tempSchema(server);
    await using proxy = new TcpProxy(server.port);
    await using store = await openPostgresStore(proxy.through(schema.url));
    await store.add(newJobs(30), T0);
    const leased = async () => {
      const outcome = { event: "complete", result: "1" } as const;
      const jobs = await claimJobs(store, { free: 10 });
      return jobs.map(({ seq, token }) => ({ seq, token, outcome }));
    };
    const settle = async (ends: Awaited<ReturnType<typeof leased>>) => {
      const { answers } = await store.settle(ends, HOLDER, T0);
      assert.deepEqual(answers, ends.map(() => "settled"));
    };
    await settle(await leased());

    const unanswered = await leased();
    proxy.loseAnswer("COMMIT\0");
    await settle(unanswered);

    const undone = await leased();
    const other = await connect(schema.url);
    try {
      await other.query("BEGIN");
      await other.query("SELECT FROM jobs WHERE seq = $1 FOR UPDATE", [undone[5]!.seq]);
      const settling = settle(undone);
      // Over before its commit: it waits for a job that somebody holds.
      await eventually(
        async () => {
          const { rowCount } = await other.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
              "WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))",
          );
          return rowCount === 1;
        },
        { what: "the end of an attempt waited" },
      );
      await other.query("COMMIT");
      await settling;
    } finally {
      await other.end();
    }

    assert.equal((await store.stats(T0)).counts.completed, 30);
    await assertCountsAreRight(store);
    const told = "SELECT sum(jobs)::int AS jobs FROM throughput WHERE what = 'completed'";
    assert.deepEqual(await execute(schema.url, told), [{ jobs: 30 }]);
  });

  Deno.test("ends that wait for who begins to follow are told, whatever isolation the server prefers", async () => {
    await using schema = await tempSchema(server);
    const strict = "default_transaction_isolation%3Dserializable%20-c%20search_path";
    await using store = await openPostgresStore(schema.url.replace("search_path", strict));
    await store.add(newJobs(2), T0);
    const [first, second] = await claimJobs(store, { free: 2 });
    const outcome = { event: "complete", result: "1" } as const;
    await settleOne(store, first!, outcome); // nobody follows, as far as it knows
    const other = await connect(schema.url);
    try {
      // Begins to follow as another process does, a little slower.
      await other.query("BEGIN");
      await other.query(
        "SELECT pg_advisory_xact_lock(hashtext('queuectl:' || current_schema()), $1)",
        [LOCKS.follow],
      );
      const settling = settleOne(store, second!, outcome);
      await eventually(
        async () => {
          const waiting = await other.query(
            "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))",
          );
          return waiting.rowCount === 1;
        },
        { what: "the end of an attempt waited" },
      );
      const untilMs = store.clock() + 60_000;
      await other.query("UPDATE meta SET value = $1 WHERE key = 'events_until'", [untilMs]);
      await other.query("COMMIT");
      assert.equal(await settling, "settled");
    } finally {
      await other.end();
    }
    const { batches } = await store.journal({ afterId: 0, limit: 10 });
    const events = batches.flatMap(({ events }) => events);
    assert.deepEqual(
      events.map((event) => "jobId" in event ? [event.type, event.jobId] : event),
      [["job.completed", second!.id]],
    );
  });

  Deno.test("where a second connection cannot be had, a long backlog is claimed over the first one", async () => {
    await using temp = await tempPostgresStore(server);
    const role = `r_${crypto.randomUUID().replaceAll("-", "")}`;
    const url = new URL(temp.url);
    const password = decodeURIComponent(url.password).replaceAll("'", "''");
    await execute(
      temp.url,
      `CREATE ROLE ${role} LOGIN CONNECTION LIMIT 1 PASSWORD '${password}'; ` +
        `DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${role}', current_schema()); ` +
        `EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO ${role}', current_schema()); ` +
        `EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %I TO ${role}', current_schema()); ` +
        "END $$",
    );
    try {
      url.username = role;
      await using store = await openPostgresStore(url.href);
      await store.add(newJobs(1_000), T0);
      const options = { free: 2, chunk: { count: 128 } };
      assert.equal((await claim(store, options)).isMoreDue, true);
      await assert.rejects(claim(store, options), /too many connections/); // for the second one
      const taken: number[] = [];
      for (let isMoreDue = true; isMoreDue && taken.length < 10;) {
        const next = await claim(store, options);
        taken.push(next.slots.reduce((sum, { jobs }) => sum + jobs.length, 0));
        isMoreDue = next.isMoreDue;
      }
      assert.deepEqual(taken.filter((jobs) => jobs > 0), [256, 256, 232]);
    } finally {
      await execute(temp.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  Deno.test("a claim beside a commit leaves its mark beside that one's", async () => {
    await using temp = await tempPostgresStore(server);
    const { store } = temp;
    await store.add(newJobs(400), T0);
    assert.equal((await claim(store, { free: 2 })).isMoreDue, true);
    const writers = async () => (await execute(temp.url, "SELECT DISTINCT writer FROM commits"));
    // Whether the commit is still under way when the claim comes is a matter of luck.
    for (let round = 0; (await writers()).length < 2 && round < 100; round++) {
      const adding = store.add([newJob()], T0);
      await new Promise((resolve) => setImmediate(resolve));
      const { slots } = await claim(store, { free: 2 });
      assert.equal(slots.length, 2);
      assert.deepEqual(await adding, { duplicates: [] });
    }
    assert.equal((await writers()).length, 2, "it went beside");
  });
}
