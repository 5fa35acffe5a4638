/** When jobs run: soon, not before their time, in their order, again after a pause, at last not. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { type JobJson, Sandbox } from "../helpers/program.ts";

/** Generous: what is measured is that somebody is woken, not how fast this machine is. */
const SOON_MS = 15_000;

const timeOf = (job: JobJson, name: string) => Date.parse(job[name]);

Deno.test("a job that another process adds starts soon on an idle worker", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "1"]);
  for (let round = 0; round < 3; round++) {
    const id = await sandbox.add("true");
    assert.equal(await sandbox.wait([id]), 0);
    const job = await sandbox.show(id);
    const waitedMs = timeOf(job, "started_at") - timeOf(job, "created_at");
    assert.ok(waitedMs < SOON_MS, `waited ${waitedMs} ms`);
  }
  assert.equal(worker.log("job.started").length, 3);
});

Deno.test("a delayed job does not start before its time, and soon after it", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  const soon = new Date(Date.now() + 1_500).toISOString();
  const ids = [
    await sandbox.add("true", "--delay", "1s"),
    await sandbox.add("true", "--run-at", soon),
  ];
  assert.equal(await sandbox.wait(ids), 0);
  const delayed = await sandbox.show(ids[0]!);
  assert.equal(timeOf(delayed, "run_at") - timeOf(delayed, "created_at"), 1_000);
  for (const id of ids) {
    const job = await sandbox.show(id);
    const lateMs = timeOf(job, "started_at") - timeOf(job, "run_at");
    assert.ok(lateMs >= 0 && lateMs < SOON_MS, `started ${lateMs} ms after its time`);
  }
});

Deno.test("one worker runs jobs by priority, then by run_at, then in the order of insertion", async () => {
  await using sandbox = await Sandbox.create();
  const past = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  const command = 'echo "$QUEUECTL_JOB_ID" >> ran';
  await sandbox.enqueue([
    { id: "low", priority: -1, run_at: past(60) },
    { id: "first", run_at: past(10) },
    { id: "second", run_at: past(10) },
    { id: "earlier", run_at: past(20) },
    { id: "high", priority: 5 },
    { id: "highest", priority: 10 },
    { id: "later", priority: 100, delay: "1h" },
  ].map((job) => ({ ...job, command })));
  await sandbox.worker(["-n", "1"]);
  const expected = ["highest", "high", "earlier", "first", "second", "low"];
  assert.equal(await sandbox.wait(expected), 0);
  assert.deepEqual(sandbox.lines("ran"), expected);
});

Deno.test("failures wait backoff-base ^ n seconds, then the job is dead; dlq retry starts afresh", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1", "--backoff-base", "1.2"]);
  const api = apiOf(server);
  const command = '[ -e fixed ] || { echo "no $QUEUECTL_ATTEMPT" >&2; exit 1; }';
  await sandbox.add("exit 1", "--id", "waiting", "--backoff", "1h");
  await eventually(async () => {
    const { body } = await api.get("/jobs/waiting/status");
    return body.state === "failed" && body.status === "pending" && body.attempts === 1;
  }, { what: "a job waited after its first failure" });
  assert.equal((await api.get("/jobs/waiting/result")).status, 202);
  await sandbox.add(command, "--id", "job", "--max-retries", "2");
  assert.equal(await sandbox.wait(["job"]), 1);

  const dead = await sandbox.show("job");
  assert.deepEqual([dead["state"], dead["attempts"]], ["dead", 3]);
  const history: JobJson[] = dead["attempt_history"];
  assert.equal(history.length, 3);
  for (const [index, expectedMs] of [1_200, 1_440].entries()) {
    const pauseMs = timeOf(history[index + 1]!, "started_at") -
      timeOf(history[index]!, "finished_at");
    assert.ok(
      pauseMs >= expectedMs && pauseMs < expectedMs + SOON_MS,
      `after failure ${index + 1} it waited ${pauseMs} ms`,
    );
  }
  assert.deepEqual(
    JSON.parse(await sandbox.ok("dlq", "list", "--json")).map((job: JobJson) => job["id"]),
    ["job"],
  );

  await server.stop();
  await sandbox.ok("dlq", "retry", "job");
  const fresh = await sandbox.show("job");
  assert.deepEqual([fresh["state"], fresh["attempts"]], ["pending", 0]);
  sandbox.touch("fixed");
  await sandbox.worker(["-n", "1"]);
  assert.equal(await sandbox.wait(["job"]), 0);
  assert.deepEqual(JSON.parse(await sandbox.ok("dlq", "list", "--json")), []);
});

Deno.test("requeue gives a cancelled and a dead job a fresh set of attempts, others none", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "1", "--backoff-base", "0.1"]);
  await sandbox.add("[ -e fixed ]", "--id", "dead", "--max-retries", "1");
  await sandbox.add("true", "--id", "cancelled", "--delay", "1h");
  await sandbox.ok("cancel", "cancelled");
  assert.equal(await sandbox.wait(["dead", "cancelled"]), 1);
  await worker.stop();

  for (const [id, before] of [["dead", 2], ["cancelled", 0]] as const) {
    assert.equal((await sandbox.show(id))["attempts"], before);
    await sandbox.ok("requeue", id);
    const { state, attempts, max_retries } = await sandbox.show(id);
    assert.deepEqual([state, attempts, max_retries], ["pending", 0, id === "dead" ? 1 : 3]);
    assert.equal((await sandbox.run(["requeue", id])).code, 1, "it waits already");
  }
  sandbox.touch("fixed");
  await sandbox.worker(["-n", "1"]);
  assert.equal(await sandbox.wait(["dead", "cancelled"]), 0);
  assert.equal((await sandbox.run(["requeue", "dead"])).code, 1, "it is completed");
  assert.equal((await sandbox.run(["requeue", "nobody"])).code, 3);
});

Deno.test("a queue full of waiting jobs does not hold up another queue", async () => {
  await using sandbox = await Sandbox.create();
  const command = 'echo "$QUEUECTL_QUEUE" >> ran';
  await sandbox.enqueue(Array.from({ length: 60 }, () => ({ command, queue: "mail" })));
  const id = await sandbox.add(command, "--queue", "urgent");
  await sandbox.worker(["-n", "1"]);
  assert.equal(await sandbox.wait([id]), 0);
  const before = sandbox.lines("ran").indexOf("urgent");
  assert.ok(before >= 0 && before < 10, `${before} of the other queue ran before it`);
});
