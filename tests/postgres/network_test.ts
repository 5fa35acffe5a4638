/**
 * A network that fails between queuectl and its server: what is refused is refused in bounded time, what
 * was acknowledged is kept, leases mean what they say, and everything goes on without a restart.
 */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { assertCompleted, Submitter } from "../helpers/load.ts";
import { execute, openPostgresStore, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import { TcpProxy } from "../helpers/tcp_proxy.ts";

/** How long the network is cut. */
const CUT_MS = 10_000;

/** How long a refusal may take: an answer that does not come, a connection that is not made, and load. */
const REFUSED_WITHIN_MS = 40_000;

const server = await startPostgres();

if (server !== null) {
  /** A machine behind a network that is cut for ten seconds; another one that sees the server all along. */
  const cut = async (how: "reset" | "swallow") => {
    await using schema = await tempSchema(server);
    await using proxy = new TcpProxy(server.port);
    await using sandbox = await Sandbox.create(schema.url);
    const watcher = await sandbox.serve(["--workers", "0", "--reap-interval", "500ms"]);
    const behind = { db: proxy.through(schema.url) };
    const cutOff = await sandbox.serve(["--workers", "2"], behind);
    const during = await sandbox.add("echo begun >> during; sleep 12; echo over >> during");
    await eventually(() => sandbox.has("during"), { what: "the command was begun" });
    const submitter = new Submitter(cutOff);
    await submitter.acknowledges(20);

    proxy[how]();
    await pause(CUT_MS);
    const beside = await fetch(`${watcher.url}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind: "count", payload: "four" }),
    });
    assert.equal(beside.status, 201);
    proxy.restore();
    await submitter.acknowledges(20, REFUSED_WITHIN_MS);
    const { ids, refusedAfterMs } = await submitter.end();
    const slowest = Math.max(0, ...refusedAfterMs);
    assert.ok(slowest < REFUSED_WITHIN_MS, `a refusal took ${slowest} ms`);

    await assertCompleted(schema.url, [...ids, during, (await beside.json()).job_id]);
    // The lease of its worker, which could not be renewed meanwhile, was long enough.
    assert.deepEqual(sandbox.lines("during"), ["begun", "over"]);
    assert.equal((await sandbox.show(during))["attempts"], 0);
    assert.equal(cutOff.isOver, false, cutOff.recentLog());
    assert.equal(cutOff.log("lease.lost").length, 0);
  };

  /** Calls that nobody answers. */
  const silence = async () => {
    await using schema = await tempSchema(server);
    await using proxy = new TcpProxy(server.port);
    await using store = await openPostgresStore(proxy.through(schema.url));
    await store.add([newJob({ id: "before" })], T0);
    await store.find("before");
    proxy.swallow();
    const sinceMs = performance.now();
    const calls = [
      store.add([newJob({ id: "during" })], T0),
      store.stats(T0),
      // More than there are connections: who waits for one is told as soon.
      ...Array.from({ length: 30 }, () => store.find("before")),
    ];
    const unavailable = { code: "store-unavailable", message: /did not answer (in time|within)/ };
    await Promise.all(calls.map((call) => assert.rejects(call, unavailable)));
    const tookMs = performance.now() - sinceMs;
    assert.ok(tookMs < REFUSED_WITHIN_MS, `${tookMs}`);
    proxy.restore();
    assert.equal(await store.find("during"), null);
    await store.add([newJob({ id: "during" })], T0);
  };

  /** A table that somebody keeps for himself. */
  const locked = async () => {
    await using schema = await tempSchema(server);
    await using store = await openPostgresStore(schema.url);
    const locking = execute(
      schema.url,
      "BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(120)",
    ).catch(() => {});
    const held = "SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted " +
      "AND relation = 'jobs'::regclass";
    const { pid } = await eventually(async () => (await execute(schema.url, held))[0], {
      what: "the table was locked",
    });
    await assert.rejects(store.add([newJob({ id: "refused" })], T0), {
      code: "store-unavailable",
      message: /others have kept it locked for too long/,
    });
    await execute(schema.url, `SELECT pg_terminate_backend(${pid})`);
    await locking;
    assert.equal(await store.find("refused"), null);
    await store.add([newJob({ id: "refused" })], T0);
  };

  /** A machine that is cut off while others go on. */
  const shortLease = async () => {
    await using schema = await tempSchema(server);
    await using proxy = new TcpProxy(server.port);
    await using sandbox = await Sandbox.create(schema.url);
    const flags = ["-n", "1", "--pass-env", "WHO", "--backoff-base", "0.1"];
    const cutOff = await sandbox.worker([...flags, "--lease", "6s"], {
      db: proxy.through(schema.url),
      env: { WHO: "cut off" },
    });
    const id = await sandbox.add(
      'echo "$WHO" >> runs; sleep 12; echo "$WHO" >> runs; echo "$WHO"',
    );
    await eventually(() => sandbox.has("runs"), { what: "the command was begun" });
    proxy.swallow();
    const other = await sandbox.worker([...flags, "--reap-interval", "300ms"], {
      env: { WHO: "other" },
    });
    await other.sees("job.ended", { timeoutMs: 60_000 });
    proxy.restore();
    await cutOff.sees("lease.lost", { timeoutMs: 60_000 });

    const job = await sandbox.show(id);
    assert.equal(job["state"], "completed");
    assert.equal(job["attempts"], 1);
    assert.equal(await sandbox.ok("logs", id), "other\n");
    // No two leases of a job have ever had the same token, and only the last has ended it.
    const attempts = await execute(
      schema.url,
      "SELECT token, outcome FROM attempts ORDER BY token",
    );
    assert.deepEqual(attempts.map(({ outcome }) => outcome), ["failed"]);
    // It is at work again.
    await other.stop();
    const next = await sandbox.add("true");
    await cutOff.sees("job.ended", { fits: ({ job }) => job === next, timeoutMs: 60_000 });
  };

  Deno.test("a network that fails", async (t) => {
    const together = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
    const steps = [
      {
        name: "and resets all connections costs no acknowledged job, no attempt, no restart",
        fn: () => cut("reset"),
      },
      {
        name: "and swallows everything costs no acknowledged job, no attempt, no restart",
        fn: () => cut("swallow"),
      },
      {
        name: "and answers nothing is noticed in bounded time; what was refused was not written",
        fn: silence,
      },
      {
        name: "for longer than a lease costs the lease, and what is said later changes nothing",
        fn: shortLease,
      },
      {
        name: "is not the only thing that keeps an answer away: so does who locks the tables",
        fn: locked,
      },
    ];
    await Promise.all(steps.map((step) => t.step({ ...step, ...together })));
  });
}
