/** A process that was paused past its lease changes nothing when it wakes. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { pauseBetweenCommits } from "../helpers/pause.ts";
import { Sandbox } from "../helpers/program.ts";

const FLAGS = ["-n", "1", "--reap-interval", "500ms", "--backoff-base", "0.1"];
/** Of the process that is paused: long enough that a busy machine lets it renew. */
const SHORT_LEASE = ["--lease", "4s"];
/** That lease, the reap interval, and the start of another process on a busy machine. */
const COMES_BACK_WITHIN_MS = 30_000;

/** Each attempt waits for the file `go-N`, then says its number. */
const COMMAND = `
  touch "began-$QUEUECTL_ATTEMPT"
  until [ -e "go-$QUEUECTL_ATTEMPT" ]; do sleep 0.05; done
  echo "result of $QUEUECTL_ATTEMPT"
`;

/** The job runs in a process that is paused; it has just begun a second time in another one. */
async function pausedAndTakenOver(sandbox: Sandbox) {
  const paused = await sandbox.worker([...FLAGS, ...SHORT_LEASE]);
  await sandbox.add(COMMAND, "--id", "job");
  await eventually(() => sandbox.has("began-1"), { what: "the first attempt had begun" });
  await pauseBetweenCommits(paused, sandbox.db);
  const other = await sandbox.worker(FLAGS);
  await eventually(() => sandbox.has("began-2"), {
    what: "another process ran the job again",
    timeoutMs: COMES_BACK_WITHIN_MS,
  });
  return { paused, other };
}

Deno.test("a process that wakes after its job was run elsewhere changes nothing", async () => {
  await using sandbox = await Sandbox.create();
  const { paused, other } = await pausedAndTakenOver(sandbox);
  sandbox.touch("go-2");
  assert.equal(await sandbox.wait(["job"]), 0);
  // The command itself was not paused: now its attempt succeeds too, and must not be recorded.
  sandbox.touch("go-1");
  const before = await sandbox.show("job");
  const statusBefore = await sandbox.status();
  paused.signal("SIGCONT");
  await paused.sees("lease.lost");

  const after = await sandbox.show("job");
  assert.deepEqual(after, before);
  assert.deepEqual((await sandbox.status())["jobs"], statusBefore["jobs"]);
  assert.equal(after["state"], "completed");
  assert.equal(after["attempts"], 1, "the lapse counts");
  assert.equal(after["output"].stdout, "result of 2\n");
  assert.deepEqual(
    after["attempt_history"].map(({ outcome, error_code }: Record<string, string>) => [
      outcome,
      error_code,
    ]),
    [["failed", "lapse"], ["succeeded", null]],
  );

  // It has taken no harm itself: it runs the next job.
  await other.stop();
  await sandbox.add("echo next", "--id", "next");
  assert.equal(await sandbox.wait(["next"]), 0);
});

Deno.test("a process that wakes while its job runs elsewhere stops its own attempt only", async () => {
  await using sandbox = await Sandbox.create();
  const { paused } = await pausedAndTakenOver(sandbox);
  const ofAttempt = (attempt: number) => sandbox.processesOf("job", attempt);
  assert.ok(ofAttempt(1).length > 0 && ofAttempt(2).length > 0, "both commands run");
  paused.signal("SIGCONT");
  await paused.sees("lease.lost");
  await eventually(() => ofAttempt(1).length === 0, {
    what: "the command that lost its lease was gone",
  });
  await eventually(async () => (await sandbox.show("job"))["state"] === "processing", {
    what: "the other process's attempt was seen to run",
  });
  assert.equal((await sandbox.show("job"))["attempts"], 1);
  assert.ok(ofAttempt(2).length > 0, "the other one goes on");
  sandbox.touch("go-2");
  assert.equal(await sandbox.wait(["job"]), 0);
  assert.equal((await sandbox.show("job"))["output"].stdout, "result of 2\n");
  assert.equal((await sandbox.show("job"))["attempts"], 1);
});
