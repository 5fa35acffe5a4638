/** Jobs that have to do with each other, over HTTP: waiting, unique keys, retries of their own. */
import assert from "node:assert/strict";
import { assertProblem, httpBench } from "../helpers/http.ts";

const COUNT = { kind: "count", payload: "x" };

Deno.test("a job waits for others, and says so until they have ended", async () => {
  await using bench = await httpBench();
  await bench.post("/jobs", { ...COUNT, id: "a" });
  await bench.post("/jobs", { ...COUNT, id: "b" });
  const answer = await bench.post("/jobs", { ...COUNT, id: "c", after: ["a", "b"] });
  assert.deepEqual([answer.status, answer.body], [201, { job_id: "c", status: "pending" }]);
  const status = (await bench.call("/jobs/c/status")).body;
  assert.deepEqual([status.status, status.run_at, status.waiting_for], ["pending", null, [
    "a",
    "b",
  ]]);
  assert.ok(!("waiting_for" in (await bench.call("/jobs/a/status")).body));
  const list = (await bench.call("/jobs")).body.jobs;
  assert.deepEqual(list.map((job: { waiting_for?: string[] }) => job.waiting_for), [
    ["a", "b"],
    undefined,
    undefined,
  ]);

  await bench.settle({ event: "complete", result: "{}" });
  const job = (await bench.call("/jobs/c")).body;
  assert.deepEqual(job.after, [
    { id: "a", condition: "success", is_met: true },
    { id: "b", condition: "success", is_met: false },
  ]);
  assert.deepEqual(job.waiting_for, ["b"]);
  await bench.settle({ event: "complete", result: "{}" });
  const free = (await bench.call("/jobs/c")).body;
  assert.ok(!("waiting_for" in free) && free.run_at !== null);
  assert.equal((await bench.claim()).id, "c");
});

Deno.test("a job after one that is dead is cancelled at once, and the answer says so", async () => {
  await using bench = await httpBench();
  await bench.post("/jobs", { ...COUNT, id: "a" });
  await bench.post("/jobs/a/cancel", {});
  const answer = await bench.post("/jobs", { ...COUNT, id: "b", after: "a" });
  assert.deepEqual([answer.status, answer.body], [201, { job_id: "b", status: "cancelled" }]);
  const job = (await bench.call("/jobs/b")).body;
  assert.equal(job.error_code, "dependency");
  assert.equal(job.error, "the job a, which this one waits for: it is cancelled");
  const result = await bench.call("/jobs/b/result");
  assert.deepEqual([result.status, result.body.status], [409, "cancelled"]);
  const other = await bench.post("/jobs", { ...COUNT, after: "a", after_on: "failure" });
  assert.equal(other.body.status, "pending");
});

Deno.test("DELETE answers for which jobs a job waited that is deleted while it waits", async () => {
  await using bench = await httpBench();
  await bench.post("/jobs", { ...COUNT, id: "a" });
  await bench.post("/jobs", { ...COUNT, id: "b", after: "a" });
  const { status, body } = await bench.call("/jobs/b", { method: "DELETE" });
  assert.deepEqual([status, body.state, body.waiting_for], [200, "pending", ["a"]]);
});

Deno.test("every unknown id to wait for is named, with its place in a batch", async () => {
  await using bench = await httpBench();
  const single = assertProblem(await bench.post("/jobs", { ...COUNT, after: ["x", "y"] }), 422);
  assert.deepEqual(single.errors, [
    { detail: 'after: there is no job with the id "x" to wait for', pointer: "/after" },
    { detail: 'after: there is no job with the id "y" to wait for', pointer: "/after" },
  ]);
  const jobs = [{ ...COUNT, id: "a" }, { ...COUNT, after: ["a", "x"] }, { ...COUNT, after: "y" }];
  const many = assertProblem(await bench.post("/jobs/batch", jobs), 422);
  assert.deepEqual(
    many.errors.map(({ pointer }: { pointer: string }) => pointer),
    ["/1/after", "/2/after"],
  );
  const lines = jobs.map((job) => JSON.stringify(job)).join("\n\n");
  const headers = { "content-type": "application/x-ndjson" };
  const inLines = await bench.call("/jobs/batch", { method: "POST", body: lines, headers });
  assert.match(assertProblem(inLines, 422).errors[0].detail, /^line 3: after: /);
  assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
});

Deno.test("a batch may wait for itself, but not in a circle", async () => {
  await using bench = await httpBench();
  const good = [{ ...COUNT, id: "b", after: "a" }, { ...COUNT, id: "a" }];
  assert.equal((await bench.post("/jobs/batch", good)).status, 201);
  const circle = [{ ...COUNT, id: "c", after: "d" }, { ...COUNT, id: "d", after: ["a", "c"] }];
  const { errors } = assertProblem(await bench.post("/jobs/batch", circle), 422);
  assert.deepEqual(errors.map(({ detail }: { detail: string }) => detail), [
    "after: these jobs wait for each other, so that none could ever run: c -> d -> c",
  ]);
});

Deno.test("a second job with a unique key is the first one, with 200", async () => {
  await using bench = await httpBench();
  const job = { ...COUNT, unique_key: "nightly" };
  const first = await bench.post("/jobs", { ...job, id: "a" });
  assert.equal(first.status, 201);
  const second = await bench.post("/jobs", job);
  assert.equal(second.status, 200);
  assert.deepEqual(second.body, { job_id: "a", status: "pending", existing: true });
  assert.equal(second.headers.get("location"), "/jobs/a");
  await bench.claim();
  assert.equal((await bench.post("/jobs", job)).body.status, "started");
  assert.equal((await bench.call("/jobs/a")).body.unique_key, "nightly");
});

Deno.test("on_conflict refuses with 409 and the job's id, or replaces a job that waits", async () => {
  await using bench = await httpBench();
  const job = { ...COUNT, unique_key: "k" };
  await bench.post("/jobs", { ...job, id: "a" });
  const refused = await bench.post("/jobs", { ...job, on_conflict: "refuse" });
  assertProblem(refused, 409, /^the unique key is taken: "k" by the job a, which is pending$/);
  const replaced = await bench.post("/jobs", { ...job, id: "b", on_conflict: "replace" });
  assert.equal(replaced.status, 201);
  const old = (await bench.call("/jobs/a")).body;
  assert.deepEqual([old.state, old.error_code], ["cancelled", "replaced"]);
  await bench.claim();
  assertProblem(
    await bench.post("/jobs", { ...job, on_conflict: "replace" }),
    409,
    /which is started/,
  );
  const requeued = await bench.call("/jobs/a/requeue", { method: "POST" });
  assertProblem(requeued, 409, /another live job has its unique key "k"/);
});

Deno.test("a batch tells which of its jobs were there already; the same key twice is refused", async () => {
  await using bench = await httpBench();
  await bench.post("/jobs", { ...COUNT, id: "a", unique_key: "k" });
  const jobs = [{ ...COUNT, unique_key: "k" }, { ...COUNT, id: "b" }];
  const answer = await bench.post("/jobs/batch", jobs);
  assert.deepEqual([answer.status, answer.body], [201, { job_ids: ["a", "b"], existing: ["a"] }]);
  assert.equal((await bench.post("/jobs/batch", [jobs[0]])).status, 200);
  const twice = await bench.post("/jobs/batch", [jobs[0], jobs[0]]);
  assert.equal(assertProblem(twice, 422).errors[0].pointer, "/1/unique_key");
});

Deno.test("a job shows how it is retried", async () => {
  await using bench = await httpBench();
  const fields = { backoff: "linear:10s", jitter: 0.2, max_age: "1h", key: "tenant-1" };
  await bench.post("/jobs", { ...COUNT, id: "a", ...fields });
  const { retry, key, created_at } = (await bench.call("/jobs/a")).body;
  assert.equal(key, "tenant-1");
  assert.deepEqual(retry, {
    backoff: { type: "linear", delay_ms: 10_000, cap_ms: null },
    jitter: 0.2,
    retry_on: null,
    max_age_ms: 3_600_000,
    retry_until: new Date(Date.parse(created_at) + 3_600_000).toISOString(),
  });
  await bench.post("/jobs", { ...COUNT, id: "b" });
  const plain = (await bench.call("/jobs/b")).body;
  assert.deepEqual([plain.retry, plain.key, plain.unique_key, plain.after], [null, null, null, []]);
});

Deno.test("an upload's form takes the same fields", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { id: "a" });
  await bench.addCount("x", { id: "b" });
  const answer = await bench.upload({
    ...{ file: "x", after: "a, b", after_on: "any", unique_key: "k", on_conflict: "refuse" },
    ...{ key: "t", backoff: "1s,5s", jitter: "0.1", max_age: "2h" },
  });
  assert.equal(answer.status, 201, answer.text);
  const job = (await bench.call(`/jobs/${answer.body.job_id}`)).body;
  assert.deepEqual(job.after.map(({ id, condition }: Record<string, string>) => [id, condition]), [
    ["a", "any"],
    ["b", "any"],
  ]);
  assert.deepEqual([job.unique_key, job.key, job.retry.jitter], ["k", "t", 0.1]);
  assert.deepEqual(job.retry.backoff, { type: "list", delays_ms: [1_000, 5_000] });
  assert.equal((await bench.upload({ file: "x", unique_key: "k" })).status, 200);
});
