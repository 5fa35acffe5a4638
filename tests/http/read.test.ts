/** Looking at jobs over HTTP: status, result, the whole job, output, pages. */
import assert from "node:assert/strict";
import { assertProblem, type HttpBench, httpBench } from "../helpers/http.ts";

const FAILURE = { code: "error", message: "it broke" } as const;
const LATER_MS = 4_000_000_000_000;

Deno.test("GET /jobs/{id}/status tells how the job is, at every state", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount("x", { max_retries: 1 });
  const status = async () => (await bench.call(`/jobs/${id}/status`)).body;

  const waiting = await status();
  assert.equal(waiting.job_id, id);
  assert.equal(waiting.status, "pending");
  assert.equal(waiting.attempts, 0);
  assert.equal(waiting.max_retries, 1);
  assert.equal(waiting.processing_by, null);
  for (const time of ["created_at", "updated_at"]) {
    assert.match(waiting[time], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }

  await bench.settle({ event: "fail", error: FAILURE, dueAtMs: Date.now() });
  assert.deepEqual([(await status()).status, (await status()).attempts], ["pending", 1]);
  const leased = await bench.claim();
  assert.deepEqual([(await status()).status, (await status()).processing_by], ["started", "w-1"]);
  await bench.store.begin([leased], "test-holder", Date.now());
  assert.equal((await status()).status, "processing");
  const outcome = { event: "bury", error: FAILURE } as const;
  const { seq, token } = leased;
  await bench.store.settle([{ seq, token, outcome }], "test-holder", Date.now());
  const dead = await status();
  assert.deepEqual([dead.status, dead.state, dead.attempts], ["failed", "dead", 2]);
  assert.equal(dead.error, "it broke");
  assert.equal(dead.processing_by, null);
});

Deno.test("GET /jobs/{id}/result is 202 with Retry-After until the job has finished", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const check = async (status: string) => {
    const answer = await bench.call(`/jobs/${id}/result`);
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.body, { job_id: id, status, message: "Result not ready" });
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.equal(answer.headers.get("content-type"), "application/json");
  };
  await check("pending");
  await bench.settle({ event: "fail", error: FAILURE, dueAtMs: Date.now() });
  await check("pending");
  await bench.claim();
  await check("started");
});

Deno.test("GET /jobs/{id}/result of a count is 200 with the number of characters", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  await bench.settle({ event: "complete", result: '{"characters":5}' });
  const answer = await bench.call(`/jobs/${id}/result`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { job_id: id, status: "done", characters: 5 });
});

Deno.test("GET /jobs/{id}/result of a dead job is 409 with its attempts and last error", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  await bench.settle({ event: "bury", error: FAILURE });
  const answer = await bench.call(`/jobs/${id}/result`);
  assert.equal(answer.status, 409);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const { job_id, status, attempts, error } = answer.body;
  assert.deepEqual({ job_id, status, attempts, error }, {
    job_id: id,
    status: "failed",
    attempts: 1,
    error: "it broke",
  });
});

Deno.test("GET /jobs/{id}/result of a cancelled job is 409 and says cancelled", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  await bench.queue.cancel(id);
  const answer = await bench.call(`/jobs/${id}/result`);
  assert.equal(answer.status, 409);
  assert.equal(answer.body.job_id, id);
  assert.equal(answer.body.status, "cancelled");
  assert.equal(answer.body.attempts, 0);
});

/** A finished command job that has printed something. */
async function finishedCommand(
  bench: HttpBench,
  { stdout, stderr }: { stdout: Uint8Array; stderr: Uint8Array },
): Promise<string> {
  const { id } = await bench.queue.add({ command: "true" });
  const result = JSON.stringify({
    exit_code: 0,
    signal: null,
    duration_ms: 12,
    stdout_bytes: stdout.length + 1_000,
    stderr_bytes: stderr.length,
    stdout_truncated: true,
    stderr_truncated: false,
  });
  await bench.settle({ event: "complete", result }, {
    output: [{ stream: "stdout", bytes: stdout }, { stream: "stderr", bytes: stderr }],
  });
  return id;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("GET /jobs/{id}/result of a command has its exit and the beginning of its output", async () => {
  await using bench = await httpBench();
  // The limit of 64 KiB falls into the middle of a character: it is left out, not broken.
  const stdout = utf8(`x${"é".repeat(40_000)}`);
  const id = await finishedCommand(bench, { stdout, stderr: utf8("warn\n") });
  const { status, body } = await bench.call(`/jobs/${id}/result`);
  assert.equal(status, 200);
  assert.equal(body.status, "done");
  assert.equal(body.result.exit_code, 0);
  assert.equal(body.result.duration_ms, 12);
  assert.equal(body.result.stdout_truncated, true);
  assert.equal(body.result.stderr, "warn\n");
  assert.equal(body.result.stdout, `x${"é".repeat(32_767)}`);
});

Deno.test("GET /jobs/{id}/output is the bytes of a stream, marked where they were cut", async () => {
  await using bench = await httpBench();
  const stdout = Uint8Array.of(104, 105, 0xff, 0, 10);
  const id = await finishedCommand(bench, { stdout, stderr: utf8("warn\n") });
  const response = await fetch(`${bench.server.url}/jobs/${id}/output`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(response.headers.get("x-output-truncated"), "true");
  assert.deepEqual(await response.bytes(), stdout);
  const stderr = await bench.call(`/jobs/${id}/output?stream=stderr&attempt=1`);
  assert.equal(stderr.text, "warn\n");
  assert.equal(stderr.headers.get("x-output-truncated"), null);
});

Deno.test("GET /jobs/{id}/output has the last attempt's output, or that of the one asked for", async () => {
  await using bench = await httpBench();
  const { id } = await bench.queue.add({ command: "true" });
  for (const text of ["first", "second"]) {
    const dueAtMs = Date.now();
    await bench.settle({ event: "fail", error: FAILURE, dueAtMs }, {
      output: [{ stream: "stdout", bytes: utf8(text) }],
    });
  }
  assert.equal((await bench.call(`/jobs/${id}/output`)).text, "second");
  assert.equal((await bench.call(`/jobs/${id}/output?attempt=1`)).text, "first");
  assertProblem(await bench.call(`/jobs/${id}/output?attempt=3`), 404, /has had no attempt 3/);
});

Deno.test("GET /jobs/{id}/output of a job that has not run is empty", async () => {
  await using bench = await httpBench();
  const { id } = await bench.queue.add({ command: "true" });
  const answer = await bench.call(`/jobs/${id}/output`);
  assert.deepEqual([answer.status, answer.text], [200, ""]);
});

Deno.test("GET /jobs/{id} shows the whole job with its attempts and timings", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount("some text", { max_retries: 5 });
  await bench.settle({ event: "fail", error: FAILURE, dueAtMs: Date.now() });
  await bench.settle({ event: "complete", result: '{"characters":9}' });
  const { status, body } = await bench.call(`/jobs/${id}`);
  assert.equal(status, 200);
  assert.equal(body.id, id);
  assert.equal(body.state, "completed");
  assert.equal(body.payload, "some text");
  assert.deepEqual(body.result, { characters: 9 });
  assert.equal(body.attempts, 1);
  assert.deepEqual(
    body.attempt_history.map((one: Record<string, unknown>) => [one.attempt, one.outcome]),
    [[1, "failed"], [2, "succeeded"]],
  );
  assert.equal(body.attempt_history[0].error, "it broke");
  assert.equal(typeof body.timings.total_ms, "number");
});

Deno.test("GET /jobs gives every job once, newest first, page by page", async () => {
  await using bench = await httpBench();
  const ids: string[] = [];
  for (let index = 0; index < 7; index++) ids.push(await bench.addCount());
  const seen: string[] = [];
  let cursor: string | null = "";
  let pages = 0;
  while (cursor !== null) {
    const { body } = await bench.call(`/jobs?limit=3&cursor=${cursor}`);
    seen.push(...body.jobs.map((job: { job_id: string }) => job.job_id));
    cursor = body.next_cursor;
    assert.ok(++pages <= 4, "the pages end");
  }
  assert.deepEqual(seen, ids.reverse());
});

Deno.test("GET /jobs filters by state, queue and kind", async () => {
  await using bench = await httpBench();
  const cancelled = await bench.addCount("x", { queue: "a" });
  await bench.queue.cancel(cancelled);
  const failed = await bench.addCount("x", { queue: "a" });
  await bench.settle({ event: "fail", error: FAILURE, dueAtMs: LATER_MS });
  const waiting = await bench.addCount("x", { queue: "b" });
  const { id: command } = await bench.queue.add({ command: "true", queue: "b" });

  const ids = async (query: string) => {
    const { body } = await bench.call(`/jobs?${query}`);
    return body.jobs.map((job: { job_id: string }) => job.job_id);
  };
  assert.deepEqual(await ids("state=cancelled"), [cancelled]);
  assert.deepEqual(await ids("state=failed,cancelled"), [failed, cancelled]);
  assert.deepEqual(await ids("queue=b"), [command, waiting]);
  assert.deepEqual(await ids("kind=command"), [command]);
  assert.deepEqual(await ids("state=pending&queue=b&kind=count&limit=5"), [waiting]);
  assert.deepEqual(await ids("state=&queue=&kind=&limit=&cursor="), [
    command,
    waiting,
    failed,
    cancelled,
  ]);
});

Deno.test("GET /jobs names every parameter that is wrong", async () => {
  await using bench = await httpBench();
  const pointers = async (query: string) => {
    const { errors } = assertProblem(await bench.call(`/jobs?${query}`), 422);
    return errors.map((error: { pointer: string }) => error.pointer);
  };
  assert.deepEqual(await pointers("limit=0&state=asleep&cursor=zz&colour=red&queue=a%20b"), [
    "/limit",
    "/state",
    "/cursor",
    "/colour",
    "/queue",
  ]);
  for (const limit of ["1001", "-1", "1.5", "ten", "1e2"]) {
    assert.deepEqual(await pointers(`limit=${limit}`), ["/limit"]);
  }
  assert.deepEqual(await pointers("limit=1&limit=2"), ["/limit"]);
  assert.deepEqual(await pointers(`cursor=${btoa("2:7")}`), ["/cursor"]);
});

Deno.test("HEAD answers like GET, without a body", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  for (const path of ["/healthz", "/jobs", `/jobs/${id}`, `/jobs/${id}/status`]) {
    const got = await bench.call(path);
    const head = await bench.call(path, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [got.status, ""]);
    assert.equal(head.headers.get("content-type"), got.headers.get("content-type"));
  }
});

Deno.test("GET /jobs/{id} says why a job that is due has not started; its status stays short", async () => {
  await using bench = await httpBench();
  const post = async (path: string) =>
    assert.equal((await bench.call(path, { method: "POST" })).status, 200);
  const because = async (id: string) => (await bench.call(`/jobs/${id}`)).body.waiting_because;
  const { store } = bench;
  const worker = {
    holder: "h",
    label: "w-1",
    pid: 1,
    host: "here",
    processStart: "1",
    role: "worker",
    status: "idle",
    restarts: 0,
    startedAtMs: Date.now(),
    kinds: ["command"],
  } as const;
  const id = await bench.addCount("x", { queue: "mail" });
  assert.equal(await because(id), "no worker is running");
  assert.ok(!("waiting_because" in (await bench.call(`/jobs/${id}/status`)).body));
  await store.saveWorkers([worker], Date.now());
  assert.match(await because(id), /^no running worker has a handler for the kind count$/);
  await store.saveWorkers([{ ...worker, kinds: ["command", "count"] }], Date.now());
  assert.equal(await because(id), null, "somebody is free: it starts any moment");
  await post("/queues/mail/pause");
  assert.equal(await because(id), "its queue mail is paused");
  await post("/queues/mail/resume");
  const later = await bench.addCount("x", { queue: "mail", delay: 60 });
  assert.equal(await because(later), null, "it is not due");

  await store.changeQueue("mail", { rate: { limit: 1, periodMs: 60_000 } }, Date.now());
  const claimed = await store.claim(() => ({
    holder: "h",
    nowMs: Date.now(),
    leaseExpiresAtMs: Date.now() + 60_000,
    slots: ["w-1"],
    chunk: {},
    chunkBytes: 1_000_000,
  }));
  assert.equal(claimed.slots[0]!.jobs[0]!.id, id);
  assert.equal(await because(id), null, "it runs");
  const next = await bench.addCount("x", { queue: "mail", key: "k" });
  assert.match(await because(next), /rate 1\/1m\); the next may start at 20\d\d-/);
  await store.changeQueue("mail", { maxRunning: 1 }, Date.now());
  assert.match(await because(next), /runs as many jobs as it may at once \(max_running 1\)/);
  await store.changeQueue("mail", { maxRunning: null, rate: null }, Date.now());
  assert.equal(await because(next), "every worker that could run it is busy");
});
