/** Several processes on one database share the work: each job is run by one of them. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

const JOBS = 400;

Deno.test("four processes on one database run hundreds of jobs exactly once", async () => {
  await using sandbox = await Sandbox.create();
  const ids = Array.from({ length: JOBS }, (_, index) => `job-${index}`);
  // One write in append mode, so that the lines of commands that run side by side stay whole.
  const command = 'echo "$QUEUECTL_JOB_ID" >> ran';
  const jobs = ids.map((id) => ({ id, command }));
  await sandbox.enqueue(jobs.slice(0, JOBS / 2));
  await Promise.all(Array.from({ length: 4 }, () => sandbox.worker(["-n", "2"])));
  await sandbox.enqueue(jobs.slice(JOBS / 2));
  const { jobs: counts } = await eventually(async () => {
    const status = await sandbox.status();
    return status["jobs"].completed === JOBS ? status : undefined;
  }, { what: "all jobs were completed", timeoutMs: 120_000, everyMs: 200 });
  const { completed, ...others } = counts;
  assert.equal(completed, JOBS);
  assert.ok(Object.values(others).every((count) => count === 0), JSON.stringify(counts));

  const ran = sandbox.lines("ran");
  assert.deepEqual([...ran].sort(), [...ids].sort(), "each command ran once, and no other");

  // As many jobs at once as there are workers: every process takes its part.
  const holding = 'touch "began-$QUEUECTL_JOB_ID"; until [ -e go ]; do sleep 0.05; done';
  const held = Array.from({ length: 8 }, (_, index) => `held-${index}`);
  await sandbox.enqueue(held.map((id) => ({ id, command: holding })));
  await eventually(() => held.every((id) => sandbox.has(`began-${id}`)), {
    what: "every worker of every process ran one of them",
  });
  sandbox.touch("go");
  assert.equal(await sandbox.wait(held), 0);
});
