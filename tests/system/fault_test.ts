/** Worker threads that fail, die or hang, by the faults that can be injected. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { type JobJson, Sandbox } from "../helpers/program.ts";

const QUICK = ["--backoff-base", "0.1", "--reap-interval", "500ms"];

function errorCodes(job: JobJson): string[] {
  return job["attempt_history"].map((attempt: JobJson) => attempt["error_code"]);
}

Deno.test("a job that always kills its worker ends in the DLQ, and each time costs an attempt", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "1", "--fault-crash", "1", ...QUICK]);
  const id = await sandbox.add("touch ran", "--max-retries", "2");
  assert.equal(await sandbox.wait([id]), 1);
  const job = await sandbox.show(id);
  assert.equal(job["state"], "dead");
  assert.equal(job["attempts"], 3);
  assert.deepEqual(errorCodes(job), ["crash", "crash", "crash"]);
  await worker.sees("worker.started", { fits: ({ restarts }) => restarts === 3 });
  assert.deepEqual(worker.log("worker.died").map(({ reason }) => reason), [
    "crash",
    "crash",
    "crash",
  ]);
  const pauses = worker.log("worker.died").map(({ pause_ms }) => pause_ms);
  assert.ok(pauses[0] < pauses[1] && pauses[1] < pauses[2], `growing pauses, got ${pauses}`);
  assert.deepEqual(JSON.parse(await sandbox.ok("dlq", "list", "--json")).length, 1);
});

Deno.test("jobs that kill workers of one process do not stop those of another", async () => {
  await using sandbox = await Sandbox.create();
  const crashing = await sandbox.worker(["-n", "2", "--fault-crash", "1", ...QUICK]);
  const ids = Array.from({ length: 40 }, (_, index) => `job-${index}`);
  await sandbox.enqueue(ids.map((id) => ({ id, command: "true", max_retries: 30 })));
  await crashing.sees("worker.died");
  await sandbox.worker(["-n", "2", ...QUICK]);
  assert.equal(await sandbox.wait(ids), 0);
  assert.equal((await sandbox.status())["jobs"].completed, ids.length);
});

Deno.test("a worker that hangs is replaced, and its job counts an attempt", async () => {
  await using sandbox = await Sandbox.create();
  const hanging = ["-n", "1", "--fault-hang", "1", "--lease", "3s", "--heartbeat", "200ms"];
  const worker = await sandbox.worker([...hanging, ...QUICK]);
  const id = await sandbox.add("touch ran", "--max-retries", "1");
  assert.equal(await sandbox.wait([id]), 1);
  const job = await sandbox.show(id);
  assert.equal(job["attempts"], 2);
  assert.deepEqual(errorCodes(job), ["hang", "hang"]);
  assert.equal(sandbox.has("ran"), false);
  await worker.sees("worker.started", { fits: ({ restarts }) => restarts === 2 });
  assert.deepEqual((await worker.stop()).code, 0, "hung threads do not hold up the end");

  await sandbox.worker(["-n", "1"]);
  await sandbox.ok("dlq", "retry", id);
  assert.equal(await sandbox.wait([id]), 0, "without the fault the job is done");
});

Deno.test("a timeout and a cancel stop a thread that is blocked, long before its lease is over", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "2", "--fault-hang", "1", "--lease", "1h"]);
  const api = apiOf(server);
  const late = (await api.upload("hello", { timeout: "300ms", max_retries: "0" })).body.job_id;
  const unwanted = (await api.upload("hello")).body.job_id;
  await eventually(async () => (await api.get("/stats")).body.jobs.pending === 0, {
    what: "both workers had taken a job",
  });
  assert.equal((await api.post(`/jobs/${unwanted}/cancel`)).status, 200);
  await eventually(
    async () => (await api.get(`/jobs/${unwanted}`)).body.state === "cancelled",
    { what: "the job was cancelled" },
  );
  const { body } = await eventually(async () => {
    const answer = await api.get(`/jobs/${late}`);
    return answer.body.state === "dead" ? answer : undefined;
  }, { what: "the job ran into its timeout" });
  assert.equal(body.error_code, "timeout");
  assert.equal((await server.stop()).code, 0);
});

Deno.test("the API goes on answering while every worker hangs", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "2", "--fault-hang", "1", "--lease", "1h"]);
  const api = apiOf(server);
  for (let upload = 0; upload < 4; upload++) {
    assert.equal((await api.upload("hello")).status, 201);
  }
  await eventually(async () => (await api.get("/stats")).body.jobs.pending === 2, {
    what: "both workers had taken a job",
  });
  assert.equal((await api.get("/readyz")).status, 200);
  assert.equal((await server.stop("SIGKILL")).signal, "SIGKILL");
});

Deno.test("a failing attempt is retried until the DLQ; start-up says loudly that faults are on", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1", "--fault-fail", "1", ...QUICK]);
  const warning = await server.sees("faults.injected");
  assert.match(warning["message"], /FAULT INJECTION IS ON/);
  assert.equal(warning["fault-fail"], 1);
  const api = apiOf(server);
  const { body: { job_id: id } } = await api.upload("hello", { max_retries: "1" });
  const { body } = await eventually(async () => {
    const answer = await api.get(`/jobs/${id}/result`);
    return answer.status === 409 ? answer : undefined;
  }, { what: "the job was dead" });
  assert.equal(body.status, "failed");
  assert.equal(body.attempts, 2);
  assert.match(body.error, /fault injection/);
});

Deno.test("without faults, start-up does not speak of any", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "1"]);
  await worker.stop();
  assert.deepEqual(worker.log("faults.injected"), []);
});
