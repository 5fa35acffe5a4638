/** Adding jobs over HTTP: what is accepted, what comes back, what is stored. */
import assert from "node:assert/strict";
import { assertProblem, httpBench } from "../helpers/http.ts";

Deno.test("POST /jobs with a file answers 201 with id, status and Location, and stores the bytes", async () => {
  await using bench = await httpBench();
  const answer = await bench.upload({ file: "grüße 👋" });
  assert.equal(answer.status, 201);
  assert.deepEqual(Object.keys(answer.body), ["job_id", "status"]);
  assert.match(answer.body.job_id, /^[0-9a-f]{32}$/);
  assert.equal(answer.body.status, "pending");
  assert.equal(answer.headers.get("location"), `/jobs/${answer.body.job_id}`);
  const job = await bench.queue.find(answer.body.job_id);
  assert.equal(job.kind, "count");
  assert.deepEqual(await bench.queue.payload(job), new TextEncoder().encode("grüße 👋"));
});

Deno.test("POST /jobs takes a job's fields from the form, as text", async () => {
  await using bench = await httpBench();
  const answer = await bench.upload({
    file: "x",
    id: "upload-1",
    queue: "slow",
    priority: "-7",
    delay: "1h",
    max_retries: "0",
    timeout: "1.5",
  });
  assert.equal(answer.status, 201, answer.text);
  const job = await bench.queue.find("upload-1");
  const { queue, priority, maxRetries, timeoutMs } = job;
  assert.deepEqual({ queue, priority, maxRetries, timeoutMs }, {
    queue: "slow",
    priority: -7,
    maxRetries: 0,
    timeoutMs: 1_500,
  });
  assert.ok(job.runAtMs >= job.createdAtMs + 3_600_000, "the delay");
});

Deno.test("POST /jobs takes run_at from the form", async () => {
  await using bench = await httpBench();
  const { body } = await bench.upload({ file: "x", run_at: "2031-02-03T04:05:06Z" });
  const job = await bench.queue.find(body.job_id);
  assert.equal(job.runAtMs, Date.UTC(2031, 1, 3, 4, 5, 6));
});

Deno.test("POST /jobs keeps every byte of an upload: empty, BOM, NUL, line breaks, boundaries", async () => {
  await using bench = await httpBench();
  for (const text of ["", "\ufeffx", "a\0b", "a\r\nb\r\n", "--\r\n--\r\n\r\n", "-".repeat(5_000)]) {
    const { body } = await bench.upload({ file: text });
    const job = await bench.queue.find(body.job_id);
    assert.deepEqual(await bench.queue.payload(job), new TextEncoder().encode(text));
  }
});

Deno.test("POST /jobs with JSON adds a job of the kind it names", async () => {
  await using bench = await httpBench();
  const answer = await bench.post("/jobs", {
    kind: "count",
    payload: "hello",
    id: "Job_1.a:b-c",
    queue: "q",
    priority: 3,
    run_at: "2031-01-01T00:00:00Z",
    max_retries: 1,
    timeout: "2s",
  });
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.body, { job_id: "Job_1.a:b-c", status: "pending" });
  assert.equal(answer.headers.get("location"), "/jobs/Job_1.a:b-c");
  const job = await bench.queue.find("Job_1.a:b-c");
  assert.equal(job.timeoutMs, 2_000);
  assert.equal(job.maxRetries, 1);
});

Deno.test("POST /jobs with JSON accepts parameters of the content type, in any case", async () => {
  await using bench = await httpBench();
  const answer = await bench.post("/jobs", { kind: "count", payload: "" }, {
    "content-type": "Application/JSON; charset=utf-8",
  });
  assert.equal(answer.status, 201, answer.text);
});

Deno.test("POST /jobs adds a command where the server allows commands", async () => {
  await using bench = await httpBench({ settings: { "allow-commands": true } });
  for (const command of ["echo hi", ["echo", "hi"]]) {
    const answer = await bench.post("/jobs", { command });
    assert.equal(answer.status, 201, answer.text);
    assert.equal((await bench.queue.find(answer.body.job_id)).kind, "command");
  }
});

Deno.test("a job of the kind command takes the command as payload, also as jobs show it", async () => {
  await using bench = await httpBench({ settings: { "allow-commands": true } });
  const stored = async (body: Record<string, unknown>) => {
    const { status, body: { job_id }, text } = await bench.post("/jobs", body);
    assert.equal(status, 201, text);
    return (await bench.call(`/jobs/${job_id}`)).body.payload;
  };
  for (const command of ["echo hi", ["echo", "hi"]]) {
    const shown = { command, cwd: "/tmp" };
    assert.deepEqual(await stored({ command, cwd: "/tmp" }), shown);
    assert.deepEqual(await stored({ kind: "command", payload: command, cwd: "/tmp" }), shown);
    assert.deepEqual(await stored({ kind: "command", payload: { command }, cwd: "/tmp" }), shown);
    assert.deepEqual(await stored({ kind: "command", payload: shown }), shown);
    const nowhere = await stored({ kind: "command", payload: { command, cwd: null } });
    assert.deepEqual(nowhere, await stored({ command }));
  }
  const payload = { command: 5, cwd: "tmp", "a/b": 1 };
  const answer = await bench.post("/jobs", { kind: "command", payload });
  assertProblem(answer, 422, /a string for the shell/);
  assert.deepEqual(
    answer.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ["/payload/a~1b", "/payload/command", "/payload/cwd"],
  );
});

const BATCH = [
  { kind: "count", payload: "a", id: "b-1" },
  { kind: "count", payload: "b" },
  { kind: "count", payload: "c", queue: "other" },
];

Deno.test("POST /jobs/batch adds every job of a JSON array, ids in order", async () => {
  await using bench = await httpBench();
  const answer = await bench.post("/jobs/batch", BATCH);
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.body.job_ids.length, 3);
  assert.equal(answer.body.job_ids[0], "b-1");
  assert.equal((await bench.queue.find(answer.body.job_ids[2])).queue, "other");
});

for (const type of ["application/x-ndjson", "application/ndjson", "application/jsonl"]) {
  Deno.test(`POST /jobs/batch reads lines of JSON as ${type}`, async () => {
    await using bench = await httpBench();
    const body = BATCH.map((job) => `${JSON.stringify(job)}\r\n`).join("\n");
    const headers = { "content-type": type };
    const answer = await bench.call("/jobs/batch", { method: "POST", body, headers });
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.body.job_ids.length, 3);
  });
}

Deno.test("POST /jobs/batch stores nothing when one job of it is not valid", async () => {
  await using bench = await httpBench();
  const jobs = [...BATCH, { kind: "count", payload: 1 }, { kind: "count" }];
  const { errors } = assertProblem(await bench.post("/jobs/batch", jobs), 422);
  assert.deepEqual(errors.map((error: { pointer: string }) => error.pointer), [
    "/3/payload",
    "/4/payload",
  ]);
  assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
});

Deno.test("POST /jobs/batch stores nothing when one id is in use", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { id: "b-1" });
  assertProblem(await bench.post("/jobs/batch", BATCH), 409, /"b-1"/);
  assert.equal((await bench.call("/jobs")).body.jobs.length, 1);
});

Deno.test("POST /jobs/batch names the line of a job that is not valid, and of one that is not JSON", async () => {
  await using bench = await httpBench();
  const send = (body: string) => {
    const headers = { "content-type": "application/x-ndjson" };
    return bench.call("/jobs/batch", { method: "POST", body, headers });
  };
  const good = JSON.stringify(BATCH[1]);
  const invalid = assertProblem(await send(`${good}\n\n{"kind":"count"}\n`), 422);
  assert.match(invalid.errors[0].detail, /^line 3: /);
  assert.equal(invalid.errors[0].pointer, "/1/payload");
  assertProblem(await send(`${good}\n\n{"kind":\n`), 400, /^line 3 is not JSON/);
  assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
});

Deno.test("POST /jobs/batch accepts 10,000 jobs and refuses one more, and none at all", async () => {
  await using bench = await httpBench();
  const jobs = Array.from({ length: 10_000 }, () => ({ kind: "count", payload: "" }));
  const answer = await bench.post("/jobs/batch", jobs);
  assert.equal(answer.status, 201);
  assert.equal(new Set(answer.body.job_ids).size, 10_000);
  assertProblem(await bench.post("/jobs/batch", [...jobs, jobs[0]]), 422, /at most 10000/);
  assertProblem(await bench.post("/jobs/batch", []), 422, /at least one/);
  assertProblem(await bench.post("/jobs/batch", { kind: "count" }), 422, /array/);
});
