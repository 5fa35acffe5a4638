/** What a command gets, and what is kept of what it prints. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { peakMemoryBytes } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

const MIB = 1024 * 1024;

Deno.test("a command gets its job's id, attempt and queue, and nothing of the server's secrets", async () => {
  await using sandbox = await Sandbox.create();
  Deno.writeTextFileSync(sandbox.path("token"), "a-token-that-nobody-may-see\n");
  const server = await sandbox.serve(["--workers", "1", "--backoff-base", "0.1"], {
    env: {
      QUEUECTL_TOKEN_FILE: sandbox.path("token"),
      DATABASE_PASSWORD: "hunter2",
      AWS_SECRET_ACCESS_KEY: "hunter2",
    },
  });
  const command = 'env >> seen; [ "$QUEUECTL_ATTEMPT" = 2 ]';
  const id = await sandbox.add(command, "--queue", "mail");
  assert.equal(await sandbox.wait([id]), 0);
  const seen = sandbox.lines("seen");
  for (const line of [`QUEUECTL_JOB_ID=${id}`, "QUEUECTL_QUEUE=mail"]) {
    assert.equal(seen.filter((one) => one === line).length, 2, line);
  }
  for (const line of ["QUEUECTL_ATTEMPT=1", "QUEUECTL_ATTEMPT=2"]) assert.ok(seen.includes(line));
  assert.ok(seen.some((line) => line.startsWith("PATH=")));
  assert.doesNotMatch(seen.join("\n"), /hunter2|PASSWORD|SECRET|TOKEN/);
  assert.doesNotMatch(server.stderr + server.stdout, /a-token-that-nobody-may-see|hunter2/);
});

Deno.test("pass-env hands on what it names, and * never hands on what is queuectl's own", async () => {
  await using sandbox = await Sandbox.create();
  const env = { COLOUR: "green", SHAPE: "round", QUEUECTL_LOG_LEVEL: "info" };
  const named = await sandbox.worker(["-n", "1", "--pass-env", "COLOUR"], { env });
  await sandbox.wait([await sandbox.add("env > named")]);
  assert.equal(sandbox.lines("named").includes("COLOUR=green"), true);
  assert.equal(sandbox.lines("named").includes("SHAPE=round"), false);
  await named.stop();
  await sandbox.worker(["-n", "1", "--pass-env", "*"], { env });
  await sandbox.wait([await sandbox.add("env > all")]);
  assert.equal(sandbox.lines("all").includes("SHAPE=round"), true);
  assert.equal(sandbox.lines("all").some((line) => line.startsWith("QUEUECTL_LOG")), false);
});

Deno.test("a command runs where it was added, or in --cwd; after -- without a shell", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  Deno.mkdirSync(sandbox.path("elsewhere"));
  const here = await sandbox.add("pwd");
  const there = await sandbox.add("pwd", "--cwd", "elsewhere");
  const args = ["add", "--quiet", "--", "printf", "%s|", "$HOME", "a b", "*"];
  const literal = (await sandbox.ok(...args)).trim();
  const stdin = await sandbox.add("cat; echo end");
  assert.equal(await sandbox.wait([here, there, literal, stdin]), 0);
  assert.equal(await sandbox.ok("logs", here), `${sandbox.dir}\n`);
  assert.equal(await sandbox.ok("logs", there), `${sandbox.path("elsewhere")}\n`);
  assert.equal(await sandbox.ok("logs", literal), "$HOME|a b|*|");
  assert.equal(await sandbox.ok("logs", stdin), "end\n", "its input is empty");
});

Deno.test("300 MB of output are cut at output-limit and marked; the server's memory stays bounded", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const api = apiOf(server);
  await sandbox.wait([await sandbox.add("echo warm")]);
  const beforeBytes = peakMemoryBytes(server.pid);

  const bytes = 300_000_000;
  const id = await sandbox.add(`head -c ${bytes} /dev/zero | tr '\\0' x; echo err >&2`);
  assert.equal(await sandbox.wait([id]), 0);
  const grownBytes = peakMemoryBytes(server.pid) - beforeBytes;
  assert.ok(grownBytes < bytes / 2, `grew by ${Math.round(grownBytes / MIB)} MiB`);

  const output = await api.get(`/jobs/${id}/output`);
  assert.equal(output.text.length, MIB, "exactly the limit is kept");
  assert.match(output.text, /^x+$/);
  assert.equal(output.headers.get("x-output-truncated"), "true");
  const { result } = await sandbox.show(id);
  assert.deepEqual(
    [result.stdout_bytes, result.stdout_truncated, result.stderr_bytes, result.stderr_truncated],
    [bytes, true, 4, false],
  );
  const errors = await api.get(`/jobs/${id}/output?stream=stderr`);
  assert.deepEqual([errors.text, errors.headers.get("x-output-truncated")], ["err\n", null]);
});

Deno.test("a command that prints without end is still stopped by its timeout", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--output-limit", "1KiB"]);
  const id = await sandbox.add("yes", "--timeout", "2s", "--max-retries", "0");
  assert.equal(await sandbox.wait([id]), 1);
  assert.equal((await sandbox.ok("logs", id)).length, 1024);
});

Deno.test("each attempt's stdout and stderr are kept apart, with its exit code", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1", "--backoff-base", "0.1"]);
  const api = apiOf(server);
  const command = `
    echo "out $QUEUECTL_ATTEMPT"; echo "err $QUEUECTL_ATTEMPT" >&2
    case $QUEUECTL_ATTEMPT in 1) exit 3;; 2) kill -9 $$;; esac
  `;
  const id = await sandbox.add(command);
  assert.equal(await sandbox.wait([id]), 0);
  for (const attempt of [1, 2, 3]) {
    const path = `/jobs/${id}/output?attempt=${attempt}`;
    assert.equal((await api.get(path)).text, `out ${attempt}\n`);
    assert.equal((await api.get(`${path}&stream=stderr`)).text, `err ${attempt}\n`);
    const logs = await sandbox.run(["logs", id, "--attempt", String(attempt)]);
    assert.deepEqual([logs.stdout, logs.stderr], [`out ${attempt}\n`, `err ${attempt}\n`]);
  }
  assert.equal((await api.get(`/jobs/${id}/output`)).text, "out 3\n", "by default the last one's");
  assert.equal((await api.get(`/jobs/${id}/output?attempt=4`)).status, 404);
  const history = (await sandbox.show(id))["attempt_history"];
  assert.deepEqual(
    history.map((attempt: Record<string, unknown>) => [attempt["exit_code"], attempt["signal"]]),
    [[3, null], [null, "SIGKILL"], [0, null]],
  );
});

Deno.test("logs -f shows what a running command prints as it comes, over its attempts", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--backoff-base", "0.1"]);
  const command = `
    echo "begin $QUEUECTL_ATTEMPT"
    until [ -e "go-$QUEUECTL_ATTEMPT" ]; do sleep 0.05; done
    echo "end $QUEUECTL_ATTEMPT"
    [ "$QUEUECTL_ATTEMPT" = 2 ]
  `;
  await sandbox.add(command, "--id", "job");
  const follower = sandbox.start(["logs", "-f", "job"]);
  const shows = (text: string) =>
    eventually(() => follower.stdout === text, {
      what: `logs -f showed ${JSON.stringify(text)}`,
    });
  await shows("begin 1\n");
  sandbox.touch("go-1");
  await shows("begin 1\nend 1\nbegin 2\n");
  sandbox.touch("go-2");
  assert.equal((await follower.endsWithin()).code, 0);
  assert.equal(follower.stdout, "begin 1\nend 1\nbegin 2\nend 2\n");
});
