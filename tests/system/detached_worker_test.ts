/** Workers in the background: `worker start --detach`, `worker list`, `worker stop`. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { isAlive } from "../helpers/processes.ts";
import { type JobJson, Sandbox } from "../helpers/program.ts";

async function listWorkers(sandbox: Sandbox): Promise<JobJson[]> {
  return JSON.parse(await sandbox.ok("worker", "list", "--json"));
}

Deno.test("worker start --detach says itself what is wrong with the handlers", async () => {
  await using sandbox = await Sandbox.create();
  Deno.writeTextFileSync(sandbox.path("broken.ts"), "export const = 1;");
  const { code, stderr } = await sandbox.run([
    ...["worker", "start", "--detach", "--handlers", "broken.ts"],
  ]);
  assert.equal(code, 2);
  assert.match(stderr, /broken\.ts/);
  assert.doesNotMatch(stderr, /without --detach/);
  assert.deepEqual(await listWorkers(sandbox), []);
});

Deno.test("detached workers are up when start returns, work, and end when they are told to", async () => {
  await using sandbox = await Sandbox.create();
  const started = JSON.parse(
    await sandbox.ok("worker", "start", "--count", "2", "--detach", "--json"),
  );
  assert.deepEqual(started.workers, ["w-1", "w-2"]);
  try {
    assert.deepEqual(
      (await listWorkers(sandbox)).map(({ worker, pid, role }) => [worker, pid, role]),
      [["w-1", started.pid, "worker"], ["w-2", started.pid, "worker"]],
    );
    const command = 'touch began; until [ -e go ]; do sleep 0.05; done; echo "finished"';
    await sandbox.add(command, "--id", "job");
    await eventually(() => sandbox.has("began"), { what: "the job had begun" });
    assert.deepEqual(
      (await listWorkers(sandbox)).map(({ job_id }) => job_id).filter((id) => id !== null),
      ["job"],
    );
    const stopping = sandbox.start(["worker", "stop"]);
    await eventually(async () => {
      return (await listWorkers(sandbox)).every(({ status }) => status === "draining");
    }, { what: "the workers were draining" });
    assert.ok(isAlive(started.pid), "it finishes its job first");
    sandbox.touch("go");
    assert.equal((await stopping.endsWithin()).code, 0);
    assert.match(stopping.stdout, new RegExp(`\\b${started.pid}\\b`));
  } finally {
    sandbox.touch("go");
    if (isAlive(started.pid)) await sandbox.run(["worker", "stop"]);
  }
  assert.equal(isAlive(started.pid), false);
  assert.deepEqual(await listWorkers(sandbox), []);
  const job = await sandbox.show("job");
  assert.deepEqual([job["state"], job["attempts"]], ["completed", 0]);
  assert.equal((await sandbox.run(["worker", "stop"])).code, 0, "there is nothing left to stop");
});

Deno.test("worker stop ends every worker process of this database, and leaves serve alone", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const first = await sandbox.worker(["-n", "1"]);
  const second = await sandbox.worker(["-n", "2"]);
  const other = await sandbox.worker(["-n", "1"], { db: sandbox.path("other.db") });
  assert.equal((await listWorkers(sandbox)).length, 4);
  await sandbox.ok("worker", "stop");
  for (const worker of [first, second]) assert.equal((await worker.endsWithin()).code, 0);
  assert.deepEqual((await listWorkers(sandbox)).map(({ role }) => role), ["serve"]);
  assert.ok(isAlive(server.pid) && isAlive(other.pid));
});

Deno.test("workers of a killed process are not listed for ever, nor waited for", async () => {
  await using sandbox = await Sandbox.create();
  const killed = await sandbox.worker(["-n", "1"]);
  await killed.kill();
  assert.equal((await sandbox.run(["worker", "stop"])).code, 0);
  const next = await sandbox.worker(["-n", "1"]);
  assert.deepEqual((await listWorkers(sandbox)).map(({ pid }) => pid), [next.pid]);
});
