/** Changing jobs over HTTP: cancel, requeue, delete; and where their state does not allow it. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, httpBench } from "../helpers/http.ts";

const FAILURE = { code: "error", message: "it broke" } as const;

Deno.test("POST /jobs/{id}/cancel cancels a waiting job and answers with it", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const answer = await bench.call(`/jobs/${id}/cancel`, { method: "POST" });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.job_id, id);
  assert.deepEqual([answer.body.state, answer.body.status], ["cancelled", "cancelled"]);
  assertProblem(await bench.call(`/jobs/${id}/cancel`, { method: "POST" }), 409, /cancelled/);
});

Deno.test("POST /jobs/{id}/cancel of a running job answers once it has stopped", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const leased = await bench.claim();
  const answering = bench.call(`/jobs/${id}/cancel`, { method: "POST" });
  await eventually(async () => (await bench.store.cancelRequests("test-holder")).length > 0, {
    what: "the job's holder was asked to stop it",
  });
  const { seq, token } = leased;
  await bench.store.settle(
    [{ seq, token, outcome: { event: "abort" } }],
    "test-holder",
    Date.now(),
  );
  const answer = await answering;
  assert.deepEqual([answer.status, answer.body.state], [200, "cancelled"]);
});

Deno.test("POST /jobs/{id}/requeue gives a dead job a fresh set of attempts", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  await bench.settle({ event: "bury", error: FAILURE });
  const answer = await bench.call(`/jobs/${id}/requeue`, { method: "POST" });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.body.state, answer.body.attempts], ["pending", 0]);
  assertProblem(await bench.call(`/jobs/${id}/requeue`, { method: "POST" }), 409, /pending/);
});

Deno.test("DELETE /jobs/{id} answers with the job as it was, and then it is gone", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const answer = await bench.call(`/jobs/${id}`, { method: "DELETE" });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.body.job_id, answer.body.state], [id, "pending"]);
  assertProblem(await bench.call(`/jobs/${id}`), 404);
  assertProblem(await bench.call(`/jobs/${id}`, { method: "DELETE" }), 404);
});

Deno.test("DELETE /jobs/{id} of a running job is 409", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  await bench.claim();
  assertProblem(await bench.call(`/jobs/${id}`, { method: "DELETE" }), 409, /started/);
});

Deno.test("a body sent along with a change is ignored, and the connection stays usable", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const answer = await bench.post(`/jobs/${id}/cancel`, { reason: "x".repeat(10_000) });
  assert.equal(answer.status, 200);
  assert.equal((await bench.call(`/jobs/${id}/status`)).body.status, "cancelled");
});

Deno.test("POST /jobs/{id}/requeue with a body changes the job and runs it again", async () => {
  await using bench = await httpBench({ settings: { "allow-commands": true } });
  const kill = async (id: string) => {
    await bench.queue.cancel(id);
    return id;
  };
  const id = await kill(await bench.addCount("before", { timeout: "5s" }));
  const edit = { payload: "after", max_retries: 9, timeout: null };
  const answer = await bench.post(`/jobs/${id}/requeue`, edit);
  assert.equal(answer.status, 200, answer.text);
  const { body } = await bench.call(`/jobs/${id}`);
  assert.deepEqual(
    [body.payload, body.max_retries, body.timeout_ms, body.state],
    ["after", 9, null, "pending"],
  );

  const command = (await bench.queue.add({ command: "false", cwd: "/tmp", priority: 3 })).id;
  await kill(command);
  assert.equal((await bench.post(`/jobs/${command}/requeue`, { command: "true" })).status, 200);
  const changed = (await bench.call(`/jobs/${command}`)).body;
  assert.deepEqual([changed.payload, changed.priority], [{ command: "true", cwd: "/tmp" }, 3]);
});

Deno.test("what a requeued job may not become is said, and then nothing is changed", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount("before");
  await bench.queue.cancel(id);
  const edit = { payload: 5, priority: "x", queue: "other" };
  assertProblem(await bench.post(`/jobs/${id}/requeue`, edit), 422, /queue: cannot be changed/);
  const { errors } = assertProblem(
    await bench.post(`/jobs/${id}/requeue`, { payload: 5, priority: "x" }),
    422,
  );
  assert.deepEqual(errors.map((one: { pointer: string }) => one.pointer), [
    "/priority",
    "/payload",
  ]);
  const command = (await bench.queue.add({ command: "false" })).id;
  await bench.queue.cancel(command);
  assertProblem(
    await bench.post(`/jobs/${command}/requeue`, { command: "true" }),
    403,
    /allow-comm/,
  );
  assertProblem(await bench.post(`/jobs/${command}/requeue`, { payload: "true" }), 403);
  assert.equal((await bench.call(`/jobs/${id}`)).body.state, "cancelled");
  assert.equal((await bench.post(`/jobs/${command}/requeue`, { priority: 1 })).status, 200);
});
