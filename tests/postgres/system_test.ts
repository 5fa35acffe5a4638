/**
 * The program on PostgreSQL: several processes share the queue, and what happens to the server, to its
 * connections and to the processes costs no job that was acknowledged.
 */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { assertStartsAtOnce } from "../helpers/at_once.ts";
import { eventually } from "../helpers/eventually.ts";
import { execute, type PostgresServer, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { type Running, Sandbox } from "../helpers/program.ts";

const SHORT = ["--lease", "3s", "--reap-interval", "500ms", "--backoff-base", "0.1"];

const server = await startPostgres({ isOwn: true });

/** Registers a test with a sandbox whose database is a schema of its own. */
function test(
  promise: string,
  prove: (sandbox: Sandbox, server: PostgresServer) => Promise<void>,
): void {
  if (server === null) return;
  Deno.test(promise, async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    await prove(sandbox, server);
  });
}

/** Uploads until told to stop; returns the ids of those that were acknowledged. */
async function submitUntil(api: Running, isOver: () => boolean): Promise<string[]> {
  const ids: string[] = [];
  while (!isOver()) {
    const response = await fetch(`${api.url}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind: "count", payload: "four" }),
    });
    const body = await response.json();
    if (response.status === 201) ids.push(body.job_id);
    else assert.equal(response.status, 503, JSON.stringify(body));
    if (response.status === 503) await pause(50);
  }
  return ids;
}

async function assertAllCompleted(sandbox: Sandbox, ids: readonly string[]): Promise<void> {
  await eventually(async () => {
    const { jobs: counts } = await sandbox.status();
    return counts.pending + counts.failed + counts.started + counts.processing === 0;
  }, { what: "nothing was left to do", timeoutMs: 90_000, everyMs: 300 });
  const { jobs: counts } = await sandbox.status();
  assert.ok(counts.completed >= ids.length, JSON.stringify(counts));
  const rows = await execute(sandbox.db, "SELECT id, state FROM jobs");
  const states = new Map(rows.map(({ id, state }) => [id, state]));
  const lost = ids.filter((id) => states.get(id) !== "completed");
  assert.deepEqual(lost, [], `${lost.length} of ${ids.length} acknowledged jobs`);
  // The kept sums are what a count says.
  const counted = await execute(
    sandbox.db,
    "SELECT state, sum(jobs)::int AS jobs FROM counts GROUP BY state HAVING sum(jobs) <> 0",
  );
  assert.deepEqual(counted, [{ state: "completed", jobs: rows.length }]);
}

test(
  "kill -9 of a worker process, restarts of the server and killed backends lose nothing",
  async (sandbox, { own, url }) => {
    const api = await sandbox.serve(["--workers", "0", ...SHORT]);
    await sandbox.worker(["-n", "2", ...SHORT]);
    const victim = await sandbox.worker(["-n", "2", ...SHORT]);
    let isOver = false;
    const submitting = submitUntil(api, () => isOver);
    submitting.catch(() => {}); // told of below
    const busy = async (more: number) => {
      const done = async () => (await sandbox.status()).jobs.completed as number;
      const before = await done();
      await eventually(async () => await done() >= before + more, {
        what: `${more} more jobs were done`,
        timeoutMs: 90_000,
        everyMs: 200,
      });
    };
    await busy(30);
    await victim.kill();
    await busy(30);
    await own!.restart("immediate");
    await busy(30);
    for (let round = 0; round < 5; round++) {
      await execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'queuectl'",
      );
      await pause(200);
    }
    await own!.restart("fast", 1_000);
    await busy(30);
    isOver = true;
    const ids = await submitting;
    assert.ok(ids.length > 100, `only ${ids.length} jobs were acknowledged`);
    await assertAllCompleted(sandbox, ids);
  },
);

test("a limit of a queue holds over processes", async (sandbox) => {
  await sandbox.ok("queue", "set", "default", "--max-running", "2");
  const command = "echo + >> trace; sleep 0.05; echo - >> trace";
  await sandbox.enqueue(Array.from({ length: 20 }, () => ({ command })));
  for (let count = 0; count < 3; count++) await sandbox.worker(["-n", "2"]);
  await assertAllCompleted(sandbox, []);
  let [running, most] = [0, 0];
  for (const line of sandbox.lines("trace")) {
    running += line === "+" ? 1 : -1;
    most = Math.max(most, running);
  }
  assert.equal(sandbox.lines("trace").length, 40);
  assert.equal(most, 2);
});

test("a job that one process adds, another one starts at once", async (sandbox) => {
  const worker = await sandbox.worker(["-n", "1", ...SHORT]);
  await assertStartsAtOnce(worker, () => sandbox.add("true"));
});

test("the password of the URL is shown nowhere", async (sandbox) => {
  const url = new URL(sandbox.db);
  url.password = "geheim";
  const db = url.href.replaceAll("+", "%20");
  const worker = await sandbox.worker(["-n", "1", "--log-level", "debug", ...SHORT], { db });
  const told: string[] = [];
  for (const args of [["config", "list"], ["config", "get", "db"], ["initdb"], ["status"]]) {
    for (const more of [[], ["--json"]]) {
      const { code, stdout, stderr } = await sandbox.run([...args, ...more], { db });
      assert.equal(code, 0, stderr);
      told.push(stdout, stderr);
    }
  }
  for (const wrong of [db.replace(/:\d+\//, ":1/"), db.replace("/postgres?", "/nobody?")]) {
    const { code, stderr } = await sandbox.run(["list"], { db: wrong });
    assert.equal(code, 5, stderr);
    assert.match(stderr, /cannot use the database postgres:\/\/postgres@127\.0\.0\.1/);
    told.push(stderr);
  }
  await worker.stop();
  told.push(worker.stderr);
  for (const text of told) assert.doesNotMatch(text, /geheim/);
});
