/** Programs that run until they are stopped, and commands that wait for them. */
import assert from "node:assert/strict";
import { mayBeAlive, processStart } from "../../src/lib/process_identity.ts";
import { program, queuectl, spawnQueuectl, spawnServer, tempDir } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";

const WORKER = ["worker", "-n", "1", "--log-format", "json", "--backoff-base", "0.01"];
const isUp = ({ stderr }: { stderr: string }) => stderr.includes('"service.started"');

Deno.test("serve answers, runs what is added beside it, and ends with 0 on SIGTERM", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "1"], temp);
  assert.equal((await (await fetch(`${server.url}/healthz`)).json()).status, "ok");
  await queuectl(["add", "echo hi; echo no >&2", "--id", "a"], temp);
  const waited = await queuectl(["wait", "a"], temp);
  assert.match(waited.stdout, /^Job a is completed in \d/);
  assert.equal(waited.code, 0);
  const logs = await queuectl(["logs", "a"], temp);
  assert.deepEqual([logs.stdout, logs.stderr], ["hi\n", "no\n"]);
  const ended = await server.stop("SIGTERM");
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(server.log("job.ended")[0].state, "completed");
  assert.equal(server.log("service.stopped").length, 1);
});

Deno.test("serve --workers 0 answers and leaves the jobs alone", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "0", "--json"], temp);
  const { url, pid } = JSON.parse(server.stdout);
  assert.deepEqual([url, pid], [server.url, server.pid]);
  const body = JSON.stringify({ kind: "count", payload: "x", id: "left" });
  const headers = { "content-type": "application/json" };
  const added = await fetch(`${url}/jobs`, { method: "POST", body, headers });
  assert.equal(added.status, 201);
  await added.body?.cancel();
  const late = await queuectl(["wait", "left", "--timeout", "300ms"], temp);
  assert.equal(late.code, 4);
  assert.match(late.stderr, /job left is still pending after 300ms/);
  assert.equal((await server.stop("SIGINT")).code, 0);
});

Deno.test("serve refuses an address that others can reach, and tells both ways out", async () => {
  await using temp = await tempDir();
  const empty = `${temp.dir}/empty`;
  await Deno.writeTextFile(empty, " \n");
  const line = ["serve", "--port", "0", "--workers", "0", "--host", "0.0.0.0"];
  const bare = await queuectl(line, temp);
  assert.equal(bare.code, 2);
  assert.match(bare.stderr, /without a token[\s\S]*--token-file[\s\S]*--insecure/);
  const nothing = await queuectl([...line, "--token-file", empty], temp);
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /expected one word, got nothing/);
  assert.equal((await queuectl([...line, "--token-file", "/no/such"], temp)).code, 2);
});

Deno.test("a token guards the API, and is never shown", async () => {
  await using temp = await tempDir();
  const file = `${temp.dir}/token`;
  const token = "0123456789abcdef-secret";
  await Deno.writeTextFile(file, `  ${token}\n`);
  const env = { QUEUECTL_TOKEN_FILE: file };
  await using server = await spawnServer(["--workers", "0", "--log-level", "debug"], {
    ...temp,
    env,
  });
  const without = await fetch(`${server.url}/stats`);
  assert.equal(without.status, 401);
  await without.body?.cancel();
  const headers = { authorization: `Bearer ${token}` };
  const withToken = await fetch(`${server.url}/stats`, { headers });
  assert.equal(withToken.status, 200);
  await withToken.body?.cancel();
  const { stdout, stderr } = await server.stop();
  assert.ok(!`${stdout}${stderr}`.includes(token));
  const settings = await queuectl(["config", "list"], { ...temp, env });
  assert.ok(!settings.stdout.includes(token));
});

Deno.test("a token that can be guessed guards the API, with a warning that does not show it", async () => {
  await using temp = await tempDir();
  const file = `${temp.dir}/token`;
  await Deno.writeTextFile(file, "sesame\n");
  await using server = await spawnServer(["--workers", "0", "--token-file", file], temp);
  const statusWith = async (headers: Record<string, string>) => {
    const response = await fetch(`${server.url}/stats`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await statusWith({}), 401);
  assert.equal(await statusWith({ authorization: "Bearer sesame" }), 200);
  const warning = await eventually(() => server.log("token.weak")[0], {
    what: "the warning was logged",
  });
  assert.equal(warning.level, "warn");
  assert.doesNotMatch(JSON.stringify(warning), /sesame/);
});

Deno.test("a port that is in use exits 1, before any job is touched", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "0"], temp);
  const { port } = new URL(server.url);
  await queuectl(["add", "true", "--id", "untouched"], temp);
  const second = await queuectl(["serve", "--port", port], temp);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /port is in use/);
  const job = JSON.parse((await queuectl(["show", "untouched", "--json"], temp)).stdout);
  assert.equal(job.state, "pending");
});

Deno.test("faults that are asked for are announced loudly", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(
    ["--workers", "0", "--fault-fail", "0.5", "--log-level", "info"],
    temp,
  );
  const warning = await eventually(() => server.log("faults.injected")[0], {
    what: "the warning was logged",
  });
  assert.equal(warning.level, "warn");
  assert.match(warning.message, /FAULT INJECTION IS ON/);
  assert.equal(warning["fault-fail"], 0.5);
});

Deno.test("the first signal lets running jobs finish, the second stops them at once", async () => {
  await using temp = await tempDir();
  await using worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  await queuectl(["add", "echo started; sleep 60", "--id", "long"], temp);
  await eventually(() => worker.log("job.started").length > 0, { what: "the job started" });
  worker.signal("SIGTERM");
  await eventually(() => worker.log("service.draining").length > 0, { what: "it drains" });
  assert.equal(worker.isOver, false);
  const { code } = await worker.stop("SIGTERM");
  assert.equal(code, 143);
  const job = JSON.parse((await queuectl(["show", "long", "--json"], temp)).stdout);
  assert.deepEqual([job.state, job.attempts], ["pending", 0], "given back, no attempt counted");
});

Deno.test("wait exits by the jobs' outcome: 0, 1, 3, 4", async () => {
  await using temp = await tempDir();
  await using _worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  await queuectl(["add", "true", "--id", "good"], temp);
  await queuectl(["add", "exit 7", "--id", "bad", "--max-retries", "1"], temp);
  await queuectl(["add", "true", "--id", "off", "--delay", "1h"], temp);
  assert.equal((await queuectl(["wait", "good"], temp)).code, 0);
  const bad = await queuectl(["wait", "good", "bad"], temp);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /Job bad is dead: exit code 7/);
  assert.equal((await queuectl(["wait", "good", "nope", "bad"], temp)).code, 3);
  const late = await queuectl(["wait", "off", "--timeout", "100ms", "--json"], temp);
  assert.equal(late.code, 4);
  assert.equal(JSON.parse(late.stdout)[0].state, "pending");
  await queuectl(["cancel", "off"], temp);
  assert.equal((await queuectl(["wait", "off"], temp)).code, 1);
});

Deno.test("wait names every unknown id at once and waits for nothing", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "true", "--id", "known"], temp);
  // Nobody runs the known one: whoever waited for it would be late, which is 4.
  const line = ["wait", "known", "nope", "neither", "--timeout", "20s"];
  const [text, json] = await Promise.all([
    queuectl(line, temp),
    queuectl([...line, "--json"], temp),
  ]);
  for (const { code, stderr } of [text, json]) {
    assert.equal(code, 3);
    assert.match(stderr, /with the id "nope"\n.* with the id "neither"\n$/);
  }
  assert.equal(text.stdout, "");
  const views = JSON.parse(json.stdout) as { id: string; state: string }[];
  assert.deepEqual(views.map(({ id, state }) => [id, state]), [["known", "pending"]]);
});

Deno.test("wait notices the end of a job that was not even started when it began", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "true", "--id", "a"], temp);
  const waiting = queuectl(["wait", "a"], temp);
  await using _worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  assert.equal((await waiting).code, 0);
});

Deno.test("logs -f follows a job over its attempts, to its end", async () => {
  await using temp = await tempDir();
  const gate = `${temp.dir}/gate`;
  // The first attempt fails once it is told to, the second succeeds.
  const script =
    `echo "attempt $QUEUECTL_ATTEMPT"; echo warn >&2; [ "$QUEUECTL_ATTEMPT" = 2 ] || ` +
    `{ until [ -e ${gate} ]; do sleep 0.02; done; echo bye; exit 1; }`;
  await queuectl(["add", script, "--id", "a"], temp);
  await using _worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  await using follower = await spawnQueuectl(["logs", "-f", "a"], {
    ...temp,
    ready: ({ stdout }) => stdout === "attempt 1\n",
  });
  assert.equal(follower.isOver, false, "it prints while the job runs");
  await Deno.writeTextFile(gate, "");
  const { code, stdout, stderr } = await follower.ended;
  assert.equal(code, 0);
  assert.equal(stdout, "attempt 1\nbye\nattempt 2\n");
  assert.equal(stderr, "warn\n-- attempt 2 --\nwarn\n");
});

Deno.test("cancel stops a running command", async () => {
  await using temp = await tempDir();
  await using worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  await queuectl(["add", "sleep 60", "--id", "long"], temp);
  await eventually(() => worker.log("job.started").length > 0, { what: "the job started" });
  const cancelled = await queuectl(["cancel", "long"], temp);
  assert.equal(cancelled.code, 0);
  // Where a command takes longer to end than cancel waits, it says so.
  assert.match(cancelled.stdout, /^Job long (is cancelled|was asked to stop; .*)\n$/);
  assert.equal((await queuectl(["wait", "long"], temp)).code, 1);
});

Deno.test("detached workers outlive the command, are listed, and are stopped", async () => {
  await using temp = await tempDir();
  const log = `${temp.dir}/worker.log`;
  const started = await queuectl(
    ["worker", "start", "--count", "2", "--detach", "--log-file", log, "--json"],
    { ...temp, env: { QUEUECTL_JOB_ID: "someone" } },
  );
  assert.equal(started.code, 0, started.stderr);
  const { pid, workers } = JSON.parse(started.stdout);
  const startedAt = processStart(pid);
  assert.equal(mayBeAlive(pid, startedAt), true);
  try {
    assert.deepEqual(workers.toSorted(), ["w-1", "w-2"]);
    const listed = JSON.parse((await queuectl(["worker", "list", "--json"], temp)).stdout);
    assert.deepEqual(
      listed.map((one: Record<string, unknown>) => [one["pid"], one["role"]]),
      [[pid, "worker"], [pid, "worker"]],
    );
    assert.match((await queuectl(["status"], temp)).stdout, new RegExp(`w-2 +${pid} +worker`));
    await queuectl(["add", "true", "--id", "a"], temp);
    assert.equal((await queuectl(["wait", "a", "--timeout", "60s"], temp)).code, 0);
  } finally {
    const stopped = await queuectl(["worker", "stop"], temp);
    assert.deepEqual([stopped.code, stopped.stdout], [0, `Stopped process ${pid}\n`]);
  }
  assert.equal(mayBeAlive(pid, startedAt), false);
  assert.match(await Deno.readTextFile(log), /"event":"job.ended"[^\n]*"job":"a"/);
  const again = await queuectl(["worker", "stop"], temp);
  assert.deepEqual([again.code, again.stdout], [0, "No workers to stop.\n"]);
});

Deno.test("a job can add jobs, and start workers that outlive it", async () => {
  await using temp = await tempDir();
  await using worker = await spawnQueuectl([...WORKER, "--pass-env", "*"], {
    ...temp,
    ready: isUp,
  });
  const { command, args } = program();
  const self = [command, ...args].map((word) => `'${word}'`).join(" ");
  const script = `${self} add true --id inner --db ${temp.db} && ` +
    `${self} worker start --count 1 --detach --json --db ${temp.db}`;
  await queuectl(["add", script, "--id", "outer", "--max-retries", "0"], temp);
  const waited = await queuectl(["wait", "outer"], temp);
  const { stdout, stderr } = await queuectl(["logs", "outer"], temp);
  assert.equal(waited.code, 0, stderr);
  const { pid } = JSON.parse(stdout.split("\n")[1]!);
  try {
    assert.equal((await queuectl(["wait", "inner"], temp)).code, 0);
    assert.equal((await worker.stop()).code, 0);
    assert.equal(mayBeAlive(pid, processStart(pid)), true);
    const listed = await queuectl(["worker", "list", "--json"], temp);
    assert.deepEqual(JSON.parse(listed.stdout).map((one: { pid: number }) => one.pid), [pid]);
  } finally {
    assert.equal((await queuectl(["worker", "stop"], temp)).code, 0);
  }
});

Deno.test("worker stop leaves serve alone, and says when it has waited long enough", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "1"], temp);
  assert.equal((await queuectl(["worker", "stop"], temp)).stdout, "No workers to stop.\n");
  assert.equal(server.isOver, false);
  await server.stop();

  await using worker = await spawnQueuectl(WORKER, { ...temp, ready: isUp });
  await queuectl(["add", "sleep 60", "--id", "long"], temp);
  await eventually(() => worker.log("job.started").length > 0, { what: "the job started" });
  const late = await queuectl(["worker", "stop", "--timeout", "200ms"], temp);
  assert.equal(late.code, 4);
  assert.match(late.stderr, new RegExp(`process ${worker.pid} is still running after 200ms`));
  await worker.stop("SIGTERM");
});

Deno.test("detached workers that cannot start are reported", async () => {
  await using temp = await tempDir();
  const line = ["worker", "start", "--detach", "--log-file", "/no/such/dir/log"];
  const { code, stderr } = await queuectl(line, temp);
  assert.equal(code, 2);
  assert.match(stderr, /cannot write the log file/);
});
