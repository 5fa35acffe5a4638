/** Schedules on the command line: how they are described, shown and changed; what is refused. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";

Deno.test("schedule add takes a command for the shell, a program, a kind, or a job as JSON", async () => {
  await using temp = await tempDir();
  const jobOf = async (name: string, ...words: string[]) => {
    const args = ["schedule", "add", name, "--every", "1h", ...words];
    const { code, stdout, stderr } = await queuectl(["--json", ...args], {
      ...temp,
      cwd: temp.dir,
    });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).job;
  };
  const cwd = temp.dir;
  assert.deepEqual(await jobOf("shell", "echo hi", "--queue", "q", "--priority", "3"), {
    ...{ cwd, max_retries: 3, command: "echo hi", queue: "q", priority: 3 },
  });
  assert.deepEqual(await jobOf("words", "--max-retries", "1", "--", "echo", "--", "-x", "a b"), {
    ...{ cwd, max_retries: 1, command: ["echo", "--", "-x", "a b"] },
  });
  assert.deepEqual(await jobOf("one", "--timeout", "5s", "--", "true"), {
    ...{ cwd, timeout: "5s", max_retries: 3, command: ["true"] },
  });
  assert.deepEqual(await jobOf("kind", "--kind", "count", "--payload", '"x"'), {
    ...{ max_retries: 3, kind: "count", payload: "x" },
  });
  const json = '{"kind":"count","payload":"x","priority":9}';
  assert.deepEqual(await jobOf("json", "--job", json, "--priority", "4"), {
    ...{ max_retries: 3, kind: "count", payload: "x", priority: 4 },
  });
});

Deno.test("a schedule is listed, shown with its next runs, paused, resumed, run and removed", async () => {
  await using temp = await tempDir();
  const ok = async (...args: string[]) => {
    const { code, stdout, stderr } = await queuectl(["schedule", ...args], temp);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(await ok("list"), "");
  const cron = ["--cron", "30 2 * * *", "--tz", "Europe/Berlin"];
  assert.match(await ok("add", "backup", ...cron, "true"), /^Schedule backup added; .*T02:30:00\+/);
  assert.match(await ok("list"), /^backup +30 2 \* \* \* Europe\/Berlin +\S+Z +- +0 +- +true$/m);
  const shown = await ok("show", "backup", "--next", "3");
  assert.equal(shown.match(/^\d{4}-\d\d-\d\dT.* Europe\/Berlin$/gm)?.length, 3);
  assert.match(await ok("pause", "backup"), /is paused/);
  assert.match(await ok("list"), / paused /);
  const id = (await ok("run", "backup", "--quiet")).trim();
  const job = JSON.parse((await queuectl(["show", id, "--json"], temp)).stdout);
  assert.equal(job.schedule, "backup");
  assert.match(await ok("show", "backup"), new RegExp(`Last job +${id} pending`));
  assert.match(await ok("resume", "backup"), /is resumed/);
  assert.match(await ok("add", "backup", "--every", "2h", "--replace", "true"), /replaced/);
  assert.match(await ok("remove", "backup"), /is removed/);
  assert.equal(await ok("list"), "");
});

Deno.test("a schedule's jobs can have a unique key", async () => {
  await using temp = await tempDir();
  const unique = ["--unique-key", "sync", "--on-conflict", "refuse"];
  const args = ["schedule", "add", "one", "--every", "1h", ...unique, "--json", "true"];
  const { code, stdout, stderr } = await queuectl(args, temp);
  assert.equal(code, 0, stderr);
  const { job } = JSON.parse(stdout);
  assert.deepEqual([job.unique_key, job.on_conflict], ["sync", "refuse"]);
});

Deno.test("bad schedules are refused with exit code 2, and all that is wrong is said", async () => {
  await using temp = await tempDir();
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await queuectl(["schedule", "add", ...args], temp);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.doesNotMatch(stderr, /\.ts:\d/);
    return stderr;
  };
  const both = await refused("a b", "--cron", "61 * * * *", "--tz", "Nowhere", "true");
  for (const field of ["name", "cron", "tz"]) assert.match(both, new RegExp(`^  ${field}: `, "m"));
  assert.match(await refused("a", "--cron", "0 0 30 2 *", "true"), /never comes/);
  assert.match(await refused("a", "true"), /either cron or every/);
  assert.match(
    await refused("a", "--every", "1h"),
    /a command, --kind \(with --payload\), or --job/,
  );
  assert.match(await refused("a", "--every", "1h", "x", "y"), /expected one command, got 2 words/);
  assert.match(await refused("a", "--every", "1h", "--job", "{"), /--job/);
  assert.match(await refused("a", "--every", "1h", "--kind", "count"), /payload: missing/);
  assert.match(await refused("a", "--every", "1h", "--overlap", "x", "true"), /overlap: expected/);
});

Deno.test("a schedule that does not exist is exit code 3; a name that is taken is 1", async () => {
  await using temp = await tempDir();
  for (const verb of ["show", "pause", "resume", "run", "remove"]) {
    const { code, stderr } = await queuectl(["schedule", verb, "nope"], temp);
    assert.equal(code, 3, verb);
    assert.match(stderr, /no schedule with the name "nope"/);
  }
  const add = ["schedule", "add", "a", "--every", "1h", "true"];
  assert.equal((await queuectl(add, temp)).code, 0);
  const again = await queuectl(add, temp);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists already.*--replace/);
});
