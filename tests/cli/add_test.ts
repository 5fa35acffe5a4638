/** Adding jobs from the command line. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";

async function show(id: string, db: string) {
  const { stdout, stderr, code } = await queuectl(["show", id, "--json"], { db });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("add prints the new job's id, in three ways", async () => {
  await using temp = await tempDir();
  const text = await queuectl(["add", "echo hi"], temp);
  assert.match(text.stdout, /^Job enqueued with ID: [0-9a-f]{32}\n$/);
  const quiet = await queuectl(["add", "--quiet", "echo hi"], temp);
  assert.match(quiet.stdout, /^[0-9a-f]{32}\n$/);
  const json = JSON.parse((await queuectl(["add", "echo hi", "--json"], temp)).stdout);
  assert.equal(json.status, "pending");
  assert.equal((await show(json.job_id, temp.db)).state, "pending");
  assert.equal(text.stderr + quiet.stderr, "");
});

Deno.test("add stores what its options say", async () => {
  await using temp = await tempDir();
  const { code } = await queuectl([
    ...["add", "echo hi", "--id", "job-1", "--queue", "mail", "--priority", "-5"],
    ...["--max-retries", "7", "--timeout", "90s", "--run-at", "2096-01-02T03:04:05Z"],
    ...["--cwd", ".."],
  ], { ...temp, cwd: temp.dir });
  assert.equal(code, 0);
  const job = await show("job-1", temp.db);
  assert.deepEqual(
    [job.queue, job.priority, job.max_retries, job.timeout_ms, job.run_at],
    ["mail", -5, 7, 90_000, "2096-01-02T03:04:05.000Z"],
  );
  const parent = temp.dir.slice(0, temp.dir.lastIndexOf("/"));
  assert.deepEqual(job.payload, { command: "echo hi", cwd: parent });
});

Deno.test("add --priority=-5 is add --priority -5", async () => {
  await using temp = await tempDir();
  const { code, stderr } = await queuectl(["add", "true", "--id", "low", "--priority=-5"], temp);
  assert.equal(code, 0, stderr);
  assert.equal((await show("low", temp.db)).priority, -5);
});

Deno.test("add --delay counts from now", async () => {
  await using temp = await tempDir();
  const beforeMs = Date.now();
  await queuectl(["add", "true", "--id", "later", "--delay", "10m"], temp);
  const { run_at } = await show("later", temp.db);
  const dueInMs = Date.parse(run_at) - beforeMs;
  assert.ok(dueInMs >= 600_000 && dueInMs < 660_000, `due in ${dueInMs} ms`);
});

Deno.test("add remembers the directory that it was called in", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "pwd", "--id", "here"], { ...temp, cwd: temp.dir });
  assert.equal((await show("here", temp.db)).payload.cwd, temp.dir);
});

Deno.test("add -- stores the words of a program, options and all, to run without a shell", async () => {
  await using temp = await tempDir();
  const words = ["printf", "%s\\n", "a b", "--json", "-5", "--", "$HOME"];
  const { code, stderr } = await queuectl(["add", "--id", "words", "--", ...words], temp);
  assert.equal(code, 0, stderr);
  assert.deepEqual((await show("words", temp.db)).payload.command, words);
  await queuectl(["add", "--id", "single", "--", "my program"], temp);
  assert.deepEqual((await show("single", temp.db)).payload.command, ["my program"]);
});

Deno.test("an id that is in use exits 1 and changes nothing", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "echo first", "--id", "a"], temp);
  for (
    const line of [["add", "echo second", "--id", "a"], ["enqueue", '{"id":"a","command":"x"}']]
  ) {
    const { code, stderr } = await queuectl(line, temp);
    assert.equal(code, 1);
    assert.match(stderr, /a job with the id "a" exists already/);
  }
  assert.equal((await show("a", temp.db)).payload.command, "echo first");
});

Deno.test("settings count in the order flag, environment, config, default", async () => {
  await using temp = await tempDir();
  const retries = async (id: string, args: string[], env: Record<string, string> = {}) => {
    await queuectl(["add", "true", "--id", id, ...args], { ...temp, env });
    return (await show(id, temp.db)).max_retries;
  };
  assert.equal(await retries("default", []), 3);
  await queuectl(["config", "set", "max-retries", "5"], temp);
  assert.equal(await retries("config", []), 5);
  const env = { QUEUECTL_MAX_RETRIES: "6" };
  assert.equal(await retries("environment", [], env), 6);
  assert.equal(await retries("flag", ["--max-retries", "7"], env), 7);
});

Deno.test("enqueue takes an object, an array, and lines from stdin", async () => {
  await using temp = await tempDir();
  const one = await queuectl(["enqueue", '{"id":"job1","command":"echo hi"}'], temp);
  assert.equal(one.stdout, "Job enqueued with ID: job1\n");
  const two = await queuectl(
    [
      "enqueue",
      "--quiet",
      '[{"id":"job2","command":"a"},{"id":"job3","kind":"count","payload":"x"}]',
    ],
    temp,
  );
  assert.equal(two.stdout, "job2\njob3\n");
  const stdin = '{"id":"job4","command":"a"}\n\r\n{"id":"job5","command":"b"}';
  const lines = await queuectl(["enqueue", "-", "--json"], { ...temp, stdin });
  assert.deepEqual(JSON.parse(lines.stdout), { job_ids: ["job4", "job5"] });
  const { stdout } = await queuectl(["list", "--json"], temp);
  assert.deepEqual(
    JSON.parse(stdout).map(({ id }: { id: string }) => id),
    ["job5", "job4", "job3", "job2", "job1"],
  );
});

Deno.test("enqueue - takes one JSON document, too: an array, or an object over several lines", async () => {
  await using temp = await tempDir();
  const added = async (stdin: string) => {
    const { code, stdout, stderr } = await queuectl(["enqueue", "-", "--json"], { ...temp, stdin });
    return code === 0 ? JSON.parse(stdout).job_ids : stderr;
  };
  assert.deepEqual(await added('[{"id":"a","command":"x"},\n {"id":"b","command":"y"}]\n'), [
    "a",
    "b",
  ]);
  assert.deepEqual(await added('{\n  "id": "c",\n  "command": "x"\n}\n'), ["c"]);
  assert.match(await added('[{"id":"d","command":"x"},\n {"id":"e"}]'), /job 2: kind: missing/);
  assert.match(await added('[{"id":"d","command":"x"},\n'), /stdin is not JSON: .* at line 2/);
  assert.match(await added("[]"), /at least one job/);
  const all = JSON.parse((await queuectl(["list", "--json"], temp)).stdout);
  assert.deepEqual(all.map(({ id }: { id: string }) => id), ["c", "b", "a"]);
});

Deno.test("enqueue - says every problem with its line, and a bad line stores nothing", async () => {
  await using temp = await tempDir();
  const malformed = await queuectl(["enqueue", "-"], {
    ...temp,
    stdin: '{"command":"fine"}\n\n{"command":\n{"kind":"nope","payload":1}\n{"priority":"x"',
  });
  assert.equal(malformed.code, 2);
  assert.match(malformed.stderr, /line 3 is not JSON/);
  assert.match(malformed.stderr, /line 4: kind: expected one of .*"nope"/);
  assert.match(malformed.stderr, /line 5 is not JSON/);
  const invalid = await queuectl(["enqueue", "-"], {
    ...temp,
    stdin: '{"command":"fine"}\n\n{"command":"x","retries":1,"priority":"high"}\n',
  });
  assert.equal(invalid.code, 2);
  assert.match(invalid.stderr, /line 3: .*"retries"; did you mean "max_retries"\?/);
  assert.match(invalid.stderr, /line 3: priority: expected a whole number/);
  const other = await queuectl(["enqueue", "-"], { ...temp, stdin: new Uint8Array([0xff, 0xfe]) });
  assert.equal(other.code, 2);
  assert.match(other.stderr, /expected UTF-8/);
  assert.equal((await queuectl(["list", "--state", "all", "--json"], temp)).stdout, "[]\n");
});
