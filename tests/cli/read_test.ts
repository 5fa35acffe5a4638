/** Looking at jobs: what scripts get, and raw output. */
import assert from "node:assert/strict";
import { shownDatabase } from "../../src/lib/database_url.ts";
import { queuectl, tempDir } from "../helpers/cli.ts";
import { fillStore } from "./fill_store.ts";

Deno.test("list shows pending jobs, and others when asked", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const ids = async (...args: string[]) => {
    const { stdout, code } = await queuectl(["list", "--json", ...args], temp);
    assert.equal(code, 0);
    return JSON.parse(stdout).map(({ id }: { id: string }) => id);
  };
  assert.deepEqual(await ids(), ["held-1", "later", "mail-2", "mail-1"]);
  assert.deepEqual(await ids("--state", "dead"), ["dead-1"]);
  assert.deepEqual(await ids("--dlq"), ["dead-1"]);
  assert.deepEqual(await ids("--state", "completed,cancelled"), ["gone", "count-1"]);
  assert.deepEqual(await ids("--state", "all", "--kind", "count"), ["later", "count-1"]);
  assert.deepEqual(await ids("--queue", "mail"), ["held-1", "mail-2", "mail-1"]);
  assert.deepEqual(await ids("--state", "all", "--limit", "2"), ["held-1", "later"]);
  assert.deepEqual(await ids("--queue", "none-such"), []);
});

Deno.test("list says on stderr when there is more, or nothing", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const more = await queuectl(["list", "--limit", "1"], temp);
  assert.match(more.stderr, /Only the newest 1 are shown; --limit N shows more/);
  const nothing = await queuectl(["list", "--queue", "none-such"], temp);
  assert.equal(nothing.stdout, "");
  assert.match(nothing.stderr, /No pending jobs like that; --state all shows every job/);
  const json = await queuectl(["list", "--limit", "1", "--json"], temp);
  assert.equal(json.stderr, "");
});

Deno.test("list --limit goes beyond one page of the store", async () => {
  await using temp = await tempDir();
  const stdin = Array.from({ length: 2_345 }, (_, n) => `{"id":"j${n}","command":"true"}\n`);
  await queuectl(["enqueue", "-", "--quiet"], { ...temp, stdin: stdin.join("") });
  const { stdout } = await queuectl(["list", "--limit", "2200", "--json"], temp);
  const ids = JSON.parse(stdout).map(({ id }: { id: string }) => id);
  assert.equal(new Set(ids).size, 2_200);
  assert.equal(ids[0], "j2344");
  assert.equal(ids.at(-1), "j145");
});

Deno.test("show --json tells the whole job in one document", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const { stdout, stderr } = await queuectl(["show", "dead-1", "--json"], temp);
  assert.equal(stderr, "");
  const job = JSON.parse(stdout);
  assert.equal(job.id, "dead-1");
  assert.equal(job.state, "dead");
  assert.equal(job.status, "failed");
  assert.equal(job.error, "exit code 3");
  assert.deepEqual(job.payload, { command: "./sync.sh && echo done", cwd: "/srv/app" });
  assert.deepEqual(
    job.attempt_history.map((one: Record<string, unknown>) => [one["attempt"], one["exit_code"]]),
    [[1, 3], [2, 3]],
  );
  assert.deepEqual(job.output, {
    stdout: "connecting\ngiving up\n",
    stdout_truncated: true,
    stderr: "\x1b[31mno route to host\x1b[0m\n",
    stderr_truncated: false,
  });
});

Deno.test("logs keeps the two streams apart and changes no byte", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const both = await queuectl(["logs", "dead-1"], temp);
  assert.equal(both.code, 0);
  assert.equal(both.stdout, "connecting\ngiving up\n");
  assert.ok(both.stderr.startsWith("\x1b[31mno route to host\x1b[0m\n"));
  assert.match(both.stderr, /stdout is truncated: 21 of 5000000 bytes/);
  const one = await queuectl(["logs", "dead-1", "--stream", "stderr"], temp);
  assert.equal(one.stdout, "");
  assert.equal(one.stderr, "\x1b[31mno route to host\x1b[0m\n");
  const first = await queuectl(["logs", "dead-1", "--attempt", "1"], temp);
  assert.deepEqual([first.code, first.stdout], [0, ""]);
});

Deno.test("logs --json prints a document for each piece", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const { stdout, stderr } = await queuectl(["logs", "dead-1", "--json"], temp);
  assert.equal(stderr, "");
  const pieces = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(pieces, [
    { attempt: 2, stream: "stdout", data: "connecting\n" },
    { attempt: 2, stream: "stderr", data: "\x1b[31mno route to host\x1b[0m\n" },
    { attempt: 2, stream: "stdout", data: "giving up\n" },
  ]);
});

Deno.test("logs of an attempt that never was exits 1, of a job that has not run 0", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const missing = await queuectl(["logs", "dead-1", "--attempt", "9"], temp);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /job dead-1 has no attempt 9: the last one is \d$/m);
  const waiting = await queuectl(["logs", "mail-1"], temp);
  assert.deepEqual([waiting.code, waiting.stdout], [0, ""]);
  assert.match(waiting.stderr, /is pending: it has not run yet/);
});

Deno.test("status --json counts jobs by state and queue", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const status = JSON.parse((await queuectl(["status", "--json"], temp)).stdout);
  assert.equal(status.total, 7);
  assert.deepEqual(
    [status.jobs.pending, status.jobs.completed, status.jobs.dead, status.jobs.cancelled],
    [4, 1, 1, 1],
  );
  assert.deepEqual(
    status.queues.map(({ queue }: { queue: string }) => queue).sort(),
    ["default", "mail", "texts"],
  );
  assert.deepEqual(status.workers, []);
});

Deno.test("initdb creates the database, and running it again is harmless", async () => {
  await using temp = await tempDir();
  const first = await queuectl(["initdb"], { cwd: temp.dir });
  assert.equal(first.stdout, `Database ready: ${temp.dir}/queue.db\n`);
  for (let time = 0; time < 2; time++) {
    const { stdout } = await queuectl(["initdb"], temp);
    assert.equal(stdout, `Database ready: ${shownDatabase(temp.db)}\n`);
  }
  await queuectl(["add", "true", "--id", "kept"], temp);
  const again = await queuectl(["initdb", "--json"], temp);
  assert.deepEqual(JSON.parse(again.stdout), { db: shownDatabase(temp.db) });
  assert.equal((await queuectl(["show", "kept"], temp)).code, 0);
});
