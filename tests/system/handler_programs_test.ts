/** Kinds of a user, run by programs in any language; here the shell's, which every machine has. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { environmentOf, isAlive } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

/** A sandbox with a program `handler.sh` that is read line by line into `$line`. */
async function withProgram(perLine: string): Promise<Sandbox> {
  const sandbox = await Sandbox.create();
  const text = `#!/bin/sh\nid() { echo "$line" | sed 's/.*"id":"\\([^"]*\\)".*/\\1/'; }\n` +
    `while read -r line; do\n${perLine}\ndone\n`;
  Deno.writeTextFileSync(sandbox.path("handler.sh"), text);
  Deno.chmodSync(sandbox.path("handler.sh"), 0o755);
  return sandbox;
}

const PROGRAM = ["-n", "1", "--handler", "sh=./handler.sh", "--backoff-base", "0.1"];

async function run(sandbox: Sandbox, job: Record<string, unknown> = {}) {
  const id = `job-${crypto.randomUUID()}`;
  await sandbox.enqueue([{ kind: "sh", payload: null, max_retries: 0, ...job, id }]);
  await sandbox.wait([id]);
  return await sandbox.show(id);
}

Deno.test("a program reads jobs line by line and answers each; it is told all about them", async () => {
  await using sandbox = await withProgram(`
    echo "$line" >> told
    echo "seen $(id)" >&2
    echo '{"type":"log","text":"working"}'
    echo "{\\"type\\":\\"result\\",\\"id\\":\\"$(id)\\",\\"result\\":{\\"pid\\":$$}}"
  `);
  await sandbox.worker(PROGRAM);
  const one = await run(sandbox, {
    payload: { a: [1, "ü"] },
    queue: "q",
    timeout: "1m",
    max_retries: 7,
  });
  const other = await run(sandbox);
  assert.equal(one["state"], "completed");
  assert.equal(one["result"].pid, other["result"].pid, "it is kept warm");
  assert.equal(one["output"].stdout, "working\n");
  assert.equal(one["output"].stderr, `seen ${one["id"]}\n`);
  assert.equal(other["output"].stderr, `seen ${other["id"]}\n`);
  const { deadline, output_dir: _, ...told } = JSON.parse(sandbox.lines("told")[0]!);
  assert.deepEqual(told, {
    type: "job",
    protocol: 1,
    id: one["id"],
    attempt: 1,
    max_retries: 7,
    queue: "q",
    kind: "sh",
    payload: { a: [1, "ü"] },
    input: null,
  });
  const waitMs = Date.parse(deadline) - Date.parse(one["started_at"]);
  assert.ok(waitMs >= 59_000 && waitMs <= 120_000, `deadline after ${waitMs} ms`);
});

Deno.test("a program may end after each answer: the next job gets a new one", async () => {
  await using sandbox = await withProgram(`
    echo "{\\"type\\":\\"result\\",\\"result\\":$$}"
    exit 0
  `);
  await sandbox.worker(PROGRAM);
  const ids = Array.from({ length: 8 }, (_, index) => `job-${index}`);
  await sandbox.enqueue(ids.map((id) => ({ id, kind: "sh", payload: 1, max_retries: 0 })));
  assert.equal(await sandbox.wait(ids), 0);
  const pids = new Set<number>();
  for (const id of ids) pids.add((await sandbox.show(id))["result"]);
  assert.equal(pids.size, ids.length);
});

Deno.test("the other answers of a program: error, cancel, snooze", async () => {
  await using sandbox = await withProgram(`
    case "$line" in
      *'"error"'*) echo '{"type":"error","message":"no luck","retry_after":"2h"}' ;;
      *'"cancel"'*) echo '{"type":"cancel","message":"not wanted"}' ;;
      *'"snooze"'*)
        if [ -e snoozed ]; then echo '{"type":"result","result":"awake"}'
        else touch snoozed; echo '{"type":"snooze","delay":0.05}'; fi ;;
      *'"badfollow"'*) echo '{"type":"enqueue","job":{"kind":"count"}}'; echo '{"type":"result"}' ;;
      *) echo '{"type":"result","result":"plain"}' ;;
    esac
  `);
  await sandbox.worker(PROGRAM);
  const error = await run(sandbox, { payload: "error" });
  assert.deepEqual([error["state"], error["error"]], ["dead", "no luck"]);
  const cancel = await run(sandbox, { payload: "cancel" });
  assert.deepEqual([cancel["state"], cancel["error"]], ["cancelled", "not wanted"]);
  const snooze = await run(sandbox, { payload: "snooze" });
  assert.deepEqual([snooze["result"], snooze["attempts"]], ["awake", 0]);
  const bad = await run(sandbox, { payload: "badfollow" });
  assert.equal(bad["error"], "a job that it enqueued was refused: payload: missing");
});

Deno.test("a program that waits for the answer to its follow-up gets it", async () => {
  await using sandbox = await withProgram(`
    echo '{"type":"enqueue","ref":"a","job":{"id":"child","command":"echo hi"}}'
    read -r good
    echo '{"type":"enqueue","ref":"b","job":{"kind":"count"}}'
    read -r bad
    echo "{\\"type\\":\\"result\\",\\"result\\":[$good,$bad]}"
  `);
  await sandbox.worker(PROGRAM);
  const job = await run(sandbox);
  assert.deepEqual(job["result"], [
    { type: "enqueued", ref: "a", id: "child" },
    { type: "refused", ref: "b", errors: [{ detail: "payload: missing", pointer: "/payload" }] },
  ]);
  assert.equal(await sandbox.wait(["child"]), 0);
});

const BROKEN: [string, string, string, RegExp][] = [
  [
    "prints garbage",
    `echo "hello there"`,
    "protocol",
    /printed a line that is not JSON: "hello there"; its stdout is for the protocol/,
  ],
  [
    "prints a line of an unknown type",
    `echo '{"type":"done"}'`,
    "protocol",
    /of the type "done"; expected one of ready, /,
  ],
  [
    "answers twice",
    // In one write: what comes later comes when no job runs.
    `printf '{"type":"result"}\\n{"type":"result"}\\n'`,
    "protocol",
    /answered twice/,
  ],
  [
    "answers for another job",
    `echo '{"type":"result","id":"x"}'`,
    "protocol",
    /said result for the job x while it ran job-/,
  ],
  [
    "speaks another protocol",
    `echo '{"type":"ready","protocol":9}'`,
    "protocol",
    /protocol: expected 1, got 9/,
  ],
  [
    "dies",
    `echo "out of luck" >&2; exit 3`,
    "exit",
    /ended with exit code 3 before it answered: out of luck/,
  ],
  ["is killed", `kill -9 $$`, "signal", /ended with SIGKILL before it answered/],
  ["ends without an answer", `exit 0`, "exit", /ended with exit code 0 before it answered/],
  [
    "prints without end",
    `head -c 9000000 /dev/zero | tr '\\0' x`,
    "protocol",
    /far longer than the largest result, 1MiB/,
  ],
];
for (const [what, does, code, message] of BROKEN) {
  Deno.test(`a program that ${what} fails the attempt, and the next job gets a new one`, async () => {
    await using sandbox = await withProgram(`
      case "$line" in
        *'"ok"'*) echo '{"type":"result","result":"ok"}' ;;
        *) ${does} ;;
      esac
    `);
    await sandbox.worker(PROGRAM);
    const job = await run(sandbox);
    assert.equal(job["error_code"], code, job["error"]);
    assert.match(job["error"], message);
    assert.match(job["error"], /^\.\/handler\.sh /);
    assert.equal((await run(sandbox, { payload: "ok" }))["result"], "ok");
  });
}

Deno.test("what a program says after its answer, when no job runs, ends it and is logged", async () => {
  await using sandbox = await withProgram(`
    echo "{\\"type\\":\\"result\\",\\"result\\":$$}"
    until [ -e go ]; do sleep 0.05; done
    echo '{"type":"result","result":"late"}'
  `);
  const worker = await sandbox.worker(PROGRAM);
  const job = await run(sandbox);
  sandbox.touch("go");
  const trouble = await worker.sees("handler.trouble");
  assert.match(trouble["message"], /handler\.sh said result while it had no job/);
  await eventually(() => !isAlive(job["result"]), { what: "it was ended" });
});

Deno.test("a program that never answers is stopped by timeout, with all that it has started", async () => {
  await using sandbox = await withProgram(`
    echo $$ > pid
    trap "" TERM
    setsid sleep 1000 &
    sleep 1000
  `);
  await sandbox.worker(PROGRAM);
  const job = await run(sandbox, { timeout: "2s" });
  assert.equal(job["error"], "ran longer than its timeout of 2s");
  const pid = Number(sandbox.lines("pid")[0]);
  assert.ok(pid > 0, "it had begun to work");
  const sleeping = () =>
    sandbox.processes().filter((other) =>
      environmentOf(other).some((entry) => entry.startsWith("QUEUECTL_JOB_MARK="))
    );
  await eventually(() => !isAlive(pid) && sleeping().length === 0, {
    what: "nothing of it was alive",
  });
});

Deno.test("a program that does not even read its job is stopped by cancel", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--handler", "deaf=sleep 1000"]);
  await sandbox.enqueue([{ id: "deaf", kind: "deaf", payload: "x".repeat(500_000) }]);
  await eventually(async () => (await sandbox.show("deaf"))["state"] === "processing", {
    what: "it ran",
  });
  await sandbox.ok("cancel", "deaf");
  await eventually(async () => (await sandbox.show("deaf"))["state"] === "cancelled", {
    what: "it was cancelled",
  });
});

Deno.test("a program that always dies is started ever more seldom", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--handler", "dying=sh -c 'echo >> starts; exit 1'"]);
  const startedMs = performance.now();
  await sandbox.enqueue(
    Array.from(
      { length: 200 },
      (_, index) => ({ id: `job-${index}`, kind: "dying", payload: 1, max_retries: 0 }),
    ),
  );
  // 0 + 0.1 + 0.2 + 0.4 + 0.8 s of rest: the fifth comes after a second and a half.
  await eventually(() => Deno.readTextFileSync(sandbox.path("starts")).length >= 5, {
    what: "it was started five times",
  });
  assert.ok(performance.now() - startedMs > 1_000);
  assert.ok((await sandbox.status())["jobs"].pending > 150);
});

Deno.test("at the end of the worker a program sees the end of its input and ends in its own way", async () => {
  await using sandbox = await withProgram(`echo '{"type":"result"}'`);
  Deno.writeTextFileSync(
    sandbox.path("handler.sh"),
    `${Deno.readTextFileSync(sandbox.path("handler.sh"))}\n: > tidied-up\n`,
  );
  const worker = await sandbox.worker(PROGRAM);
  await run(sandbox);
  assert.equal((await worker.stop()).code, 0);
  assert.ok(sandbox.has("tidied-up"));
});
