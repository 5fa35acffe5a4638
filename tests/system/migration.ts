/**
 * What the program promises of a move, with whichever databases: the queue of a sandbox goes to another
 * one. Owns the promises; knows no backend.
 */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import type { JobJson, Sandbox } from "../helpers/program.ts";

const QUICK = ["--reap-interval", "500ms", "--backoff-base", "0.1"];

/** Everything that was begun before the move is finished after it, by workers on the new database. */
export async function proveWorkGoesOn(sandbox: Sandbox, to: string): Promise<void> {
  const on = (db: string) => ({
    run: (...args: string[]) => sandbox.run(args, { db }),
    async show(id: string): Promise<JobJson> {
      const { code, stdout, stderr } = await sandbox.run(["show", id, "--json"], { db });
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    },
  });
  const [old, fresh] = [on(sandbox.db), on(to)];
  const migrate = ["migrate", "--from", sandbox.db, "--to", to];

  // Some of it is over, one job is in the hands of a worker that is killed, the rest waits.
  const done = await sandbox.add("echo done; echo aside >&2");
  const dead = await sandbox.add("test -e mended", "--max-retries", "0");
  const torn = await sandbox.add("test -e torn || { touch torn; sleep 60; }; echo mended");
  const worker = await sandbox.worker(["-n", "1", ...QUICK]);
  await eventually(() => sandbox.has("torn"), { what: "the job ran" });
  const inUse = await old.run(...migrate);
  assert.equal(inUse.code, 1, inUse.stdout);
  assert.match(inUse.stderr, new RegExp(`is in use.*process ${worker.pid}`));
  await worker.kill();

  const server = await sandbox.serve(["--workers", "0", "--allow-commands", ...QUICK]);
  const api = apiOf(server);
  const upload = (await api.upload("fünf!")).body.job_id;
  const input = (await api.upload("one\ntwo\n", {
    command: 'wc -l < "$QUEUECTL_INPUT"; cp "$QUEUECTL_INPUT" "$QUEUECTL_OUTPUT_DIR/kept"',
  })).body.job_id;
  await server.stop();
  const first = await sandbox.add("echo first", "--queue", "calm", "--unique-key", "one");
  const second = await sandbox.add("echo second", "--after", first);
  await sandbox.ok("queue", "set", "calm", "--max-running", "1");
  await sandbox.ok("queue", "pause", "calm");
  await sandbox.ok("schedule", "add", "tick", "--every", "1s", "echo tick >> ticks");
  await sandbox.ok("config", "set", "max-retries", "5");

  const moved = await old.run(...migrate, "--json");
  assert.equal(moved.code, 0, moved.stderr);
  const { rows, was_done: wasDone, tables } = JSON.parse(moved.stdout);
  assert.equal(wasDone, false);
  assert.equal(tables.jobs.rows, 7);
  assert.match(tables.jobs.checksum, /^[0-9a-f]{64}$/);
  assert.ok(rows > 15);
  for (const words of [["list"], ["add", "true"], ["worker"], ["serve", "--port", "0"]]) {
    const refused = await old.run(...words);
    assert.equal(refused.code, 5, `${words.join(" ")}: ${refused.stdout}`);
    assert.match(refused.stderr, /was moved to/);
  }

  await using _ = sandbox.start(["serve", "--port", "0", "-n", "2", ...QUICK], { db: to });
  const wait = async (...ids: string[]) => {
    const { code, stderr } = await fresh.run("wait", "--timeout", "90s", ...ids);
    assert.equal(code, 0, stderr);
  };
  await wait(torn, upload, input);
  assert.equal((await fresh.show(torn)).attempts, 1, "the worker that was killed counts");
  assert.equal((await fresh.show(upload)).result.characters, 5);
  assert.equal((await fresh.run("logs", input)).stdout.trim(), "2");
  assert.equal((await fresh.run("artifact", "get", input, "kept")).stdout, "one\ntwo\n");
  assert.equal((await fresh.run("logs", done, "--stream", "stderr")).stdout, "");
  assert.equal((await fresh.run("logs", done, "--stream", "stderr")).stderr, "aside\n");
  assert.equal((await fresh.show(first)).state, "pending", "its queue is paused");
  const twin = await fresh.run("add", "-q", "echo first", "--queue", "calm", "--unique-key", "one");
  assert.equal(twin.stdout.trim(), first, "its key is taken");
  assert.equal((await fresh.run("queue", "resume", "calm")).code, 0);
  await wait(first, second);
  sandbox.touch("mended");
  assert.equal((await fresh.run("dlq", "retry", dead)).code, 0);
  await wait(dead);
  await eventually(() => sandbox.lines("ticks").length > 0, { what: "the schedule ran" });
  assert.equal((await fresh.run("config", "get", "max-retries")).stdout.trim(), "5");
}

/** Killed again and again, the same command comes to the same end as one that is left alone. */
export async function proveKilledMoves(sandbox: Sandbox, to: string, spare: string): Promise<void> {
  await sandbox.enqueue(Array.from({ length: 9_000 }, (_, n) => ({
    id: `j-${n}`,
    kind: "count",
    payload: "x".repeat(n % 2_000),
    delay: "1h",
  })));
  const args = ["migrate", "--from", sandbox.db, "--to", to, "--json"];
  let kills = 0;
  let report: JobJson | null = null;
  for (let waitMs = 200; report === null; waitMs *= 1.3) {
    const running = sandbox.start(args);
    await pause(waitMs * (0.5 + Math.random()));
    running.signal("SIGKILL");
    const { code, stdout } = await running.ended;
    if (code === 0) report = JSON.parse(stdout);
    else kills++;
  }
  assert.ok(kills > 0, "it was killed at least once");
  const again = await sandbox.run(args);
  assert.deepEqual(JSON.parse(again.stdout).was_done, true, again.stderr);
  assert.equal((await sandbox.run(["status", "--json"], { db: to })).code, 0);
  await sandbox.ok("migrate", "--undo", sandbox.db);
  const alone = JSON.parse(
    await sandbox.ok("migrate", "--from", sandbox.db, "--to", spare, "--keep-source", "--json"),
  );
  assert.deepEqual(alone.tables, report["was_done"] ? alone.tables : report["tables"]);
  const counts = async (db: string) => {
    const { stdout } = await sandbox.run(["status", "--json"], { db });
    return JSON.parse(stdout).jobs;
  };
  assert.deepEqual(await counts(to), await counts(sandbox.db));
}
