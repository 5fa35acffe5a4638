/** What `kill -9` of worker processes costs: an attempt, and nothing else. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { childrenOf, isAlive, killAll } from "../helpers/processes.ts";
import { type Running, Sandbox } from "../helpers/program.ts";

const SHORT = ["--lease", "2s", "--reap-interval", "500ms", "--backoff-base", "0.1"];

/**
 * Its first attempt leaves a tree of processes that would live for ever: a child, a grandchild, one
 * that ignores signals, and one in a session of its own. The next attempts end at once.
 */
const TREE_AT_FIRST = `
  echo "$QUEUECTL_ATTEMPT" >> "ran-$QUEUECTL_JOB_ID"
  [ "$QUEUECTL_ATTEMPT" = 1 ] || exit 0
  sh -c 'sleep 1000; :' &
  sh -c 'trap "" TERM INT HUP; sleep 1000; :' &
  setsid sh -c 'touch "escaped-$QUEUECTL_JOB_ID"; sleep 1000; :' &
  wait
`;

/** Adds that job and waits until its tree stands. */
async function startTree(sandbox: Sandbox, id: string): Promise<void> {
  await sandbox.add(TREE_AT_FIRST, "--id", id);
  await eventually(
    () => sandbox.has(`escaped-${id}`) && sandbox.processesOf(id).length >= 6,
    { what: `the processes of ${id} were there` },
  );
}

async function assertGone(sandbox: Sandbox, ids: readonly string[]): Promise<void> {
  await eventually(() => ids.every((id) => sandbox.processesOf(id).length === 0), {
    what: `no process of ${ids.join(", ")} was alive`,
  });
}

Deno.test("kill -9 of a worker process leaves no process of its commands, setsid or not", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "2"]);
  await startTree(sandbox, "one");
  await startTree(sandbox, "two");
  await worker.kill();
  await assertGone(sandbox, ["one", "two"]);
});

Deno.test("kill -9 of the server leaves no process of its commands either", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  await startTree(sandbox, "one");
  await server.kill();
  await assertGone(sandbox, ["one"]);
});

Deno.test("a killed guardian is replaced: kill -9 of the worker still leaves nothing", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "1"]);
  const guardians = () =>
    childrenOf(worker.pid).filter(({ commandLine }) => commandLine.includes("guardian"));
  await startTree(sandbox, "one");
  const [first, ...others] = guardians();
  assert.ok(first !== undefined && others.length === 0, "there is one guardian");
  killAll([first.pid]);
  await eventually(() => guardians().some(({ pid }) => pid !== first.pid), {
    what: "there was a new guardian",
  });
  assert.ok(sandbox.processesOf("one").length >= 6, "the command goes on");
  await worker.kill();
  await assertGone(sandbox, ["one"]);
});

Deno.test("the jobs of a killed process run again as soon as another one starts", async () => {
  await using sandbox = await Sandbox.create();
  // A lease that would hold them back for an hour if only it decided.
  const flags = ["-n", "2", "--lease", "1h", "--reap-interval", "1h", "--backoff-base", "0.1"];
  const worker = await sandbox.worker(flags);
  await startTree(sandbox, "one");
  await startTree(sandbox, "two");
  await worker.kill();
  await sandbox.worker(flags);
  assert.equal(await sandbox.wait(["one", "two"]), 0);
  for (const id of ["one", "two"]) {
    assert.deepEqual(sandbox.lines(`ran-${id}`), ["1", "2"]);
    const job = await sandbox.show(id);
    assert.deepEqual(
      {
        state: job["state"],
        attempts: job["attempts"],
        error: job["attempt_history"][0].error_code,
      },
      { state: "completed", attempts: 1, error: "lapse" },
    );
  }
});

Deno.test("the jobs of a killed process come back at the next reap of one that runs", async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["-n", "1", "--lease", "1h", "--reap-interval", "500ms", "--backoff-base", "0.1"];
  const killed = await sandbox.worker(flags);
  await startTree(sandbox, "one");
  await sandbox.worker(flags);
  await killed.kill();
  assert.equal(await sandbox.wait(["one"]), 0);
  assert.equal((await sandbox.show("one"))["attempts"], 1);
});

const asOtherMachine = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"];

Deno.test({
  name: "the jobs of a process killed on another machine come back when the lease has run out",
  ignore: !(await canRun([...asOtherMachine, "true"])),
  async fn() {
    await using sandbox = await Sandbox.create();
    const flags = ["-n", "1", ...SHORT];
    const killed = await sandbox.worker(flags, { wrapper: asOtherMachine });
    await startTree(sandbox, "one");
    await sandbox.worker(flags);
    const killedAtMs = Date.now();
    await killed.kill();
    assert.equal(await sandbox.wait(["one"]), 0);
    const job = await sandbox.show("one");
    const tookMs = Date.parse(job["started_at"]) - killedAtMs;
    // At most lease + reap interval; the rest is for a busy machine, and less than a usual lease.
    assert.ok(tookMs < 20_000, `ran again ${tookMs} ms after the kill`);
    assert.match(job["attempt_history"][0].error, /lease ran out/);
  },
});

Deno.test("killing worker processes over and over loses no job and leaves no process", async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["-n", "2", ...SHORT, "--max-retries", "50"];
  const ids = Array.from({ length: 80 }, (_, index) => `job-${index}`);
  const command = 'sleep 0.1 & wait; echo "$QUEUECTL_JOB_ID" >> done';
  await sandbox.enqueue(ids.map((id) => ({ id, command, max_retries: 50 })));
  const workers: Running[] = [];
  for (let index = 0; index < 3; index++) workers.push(await sandbox.worker(flags));
  for (let kill = 0; kill < 5; kill++) {
    const goal = Math.min(ids.length - 10, sandbox.lines("done").length + 8);
    await eventually(() => sandbox.lines("done").length >= goal, {
      what: `${goal} commands had ended`,
      timeoutMs: 60_000,
    });
    await workers.shift()!.kill();
    workers.push(await sandbox.worker(flags));
  }
  assert.equal(await sandbox.wait(ids), 0, "every job is completed");
  assert.deepEqual(new Set(sandbox.lines("done")), new Set(ids), "every command ran to its end");
  const { jobs } = await sandbox.status();
  assert.equal(jobs.completed, ids.length);
  for (const worker of workers) assert.ok(isAlive(worker.pid));
});

async function canRun([program, ...args]: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program!, { args, stderr: "null" }).output();
    if (success) return true;
  } catch { /* not installed */ }
  console.warn(`SKIPPED, since this machine does not allow \`${program} ${args.join(" ")}\``);
  return false;
}
