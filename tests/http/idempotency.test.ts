/** Requests that are sent again under the same `Idempotency-Key`. */
import assert from "node:assert/strict";
import {
  type Answer,
  assertProblem,
  type HttpBench,
  httpBench,
  RawConnection,
} from "../helpers/http.ts";

const JOB = { kind: "count", payload: "hello" };
const KEY = { "idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };

const JSON_WITH_KEY = { "content-type": "application/json", "idempotency-key": "abc" };

const idsIn = async (bench: HttpBench): Promise<string[]> =>
  (await bench.call("/jobs")).body.jobs.map(({ job_id }: { job_id: string }) => job_id);

function assertReplays(first: Answer, again: Answer): void {
  assert.deepEqual([again.status, again.text], [first.status, first.text]);
  assert.equal(again.headers.get("location"), first.headers.get("location"));
  assert.equal(first.headers.get("idempotency-replayed"), null);
  assert.equal(again.headers.get("idempotency-replayed"), "true");
}

Deno.test("the same request again gets the first answer, and adds nothing", async () => {
  await using bench = await httpBench();
  const first = await bench.post("/jobs", JOB, KEY);
  assert.equal(first.status, 201);
  await bench.settle({ event: "complete", result: "{}" }); // what became of the job is another matter
  assertReplays(first, await bench.post("/jobs", JOB, KEY));
  const bare = { "idempotency-key": KEY["idempotency-key"].slice(1, -1) };
  assertReplays(first, await bench.post("/jobs", JOB, bare));
  assert.equal((await idsIn(bench)).length, 1);
});

Deno.test("a batch again gets the first answer", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { id: "a", unique_key: "k" });
  const jobs = [JOB, { ...JOB, unique_key: "k" }];
  const first = await bench.post("/jobs/batch", jobs, KEY);
  await bench.call("/jobs/a/cancel", { method: "POST" });
  assertReplays(first, await bench.post("/jobs/batch", jobs, KEY));
  assert.equal((await idsIn(bench)).length, 2);
});

Deno.test("a form again gets the first answer, although its boundary is another", async () => {
  await using bench = await httpBench();
  const send = (file: string, fields: Record<string, string> = {}) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", new Blob([file]), "x.txt");
    return bench.call("/jobs", { method: "POST", body: form, headers: KEY });
  };
  const first = await send("grüße");
  assert.equal(first.status, 201);
  assertReplays(first, await send("grüße"));
  assertProblem(await send("other"), 422, /Idempotency-Key/);
  assertProblem(await send("grüße", { priority: "1" }), 422, /Idempotency-Key/);
});

Deno.test("a large upload, which is stored while it comes, is known again too", async () => {
  await using bench = await httpBench({ settings: { "upload-limit": 8 * 1024 * 1024 } });
  const large = "x".repeat(3 * 1024 * 1024);
  const send = (file: string) => {
    const form = new FormData();
    form.append("file", new Blob([file]), "x.txt");
    return bench.call("/jobs", { method: "POST", body: form, headers: KEY });
  };
  const first = await send(large);
  assert.equal(first.status, 201, first.text);
  assertReplays(first, await send(large));
  assertProblem(await send(`${large}y`), 422, /Idempotency-Key/);
  const job = await bench.queue.find(first.body.job_id);
  assert.equal((await bench.store.files(job.seq)).length, 1);
});

Deno.test("another body, path or content type under the same key is 422", async () => {
  await using bench = await httpBench();
  await bench.post("/jobs", JOB, KEY);
  const others = [
    await bench.post("/jobs", { ...JOB, payload: "other" }, KEY),
    await bench.post("/jobs/batch", [JOB], KEY),
    await bench.call("/jobs/batch", {
      method: "POST",
      body: JSON.stringify(JOB),
      headers: { ...KEY, "content-type": "application/x-ndjson" },
    }),
  ];
  for (const answer of others) {
    const { type } = assertProblem(answer, 422, /came before with another request/);
    assert.equal(type, "urn:queuectl:problem:idempotency-key-reused");
  }
  assert.equal((await idsIn(bench)).length, 1);
});

Deno.test("a request that failed is not remembered", async () => {
  await using bench = await httpBench();
  const job = { ...JOB, id: "a" };
  await bench.addCount("x", { id: "a" });
  assertProblem(await bench.post("/jobs", job, KEY), 409);
  assertProblem(await bench.post("/jobs", { ...JOB, priority: "x" }, KEY), 422, /priority/);
  await bench.call("/jobs/a", { method: "DELETE" });
  const answer = await bench.post("/jobs", job, KEY);
  assert.deepEqual([answer.status, answer.headers.get("idempotency-replayed")], [201, null]);
});

Deno.test("while the first request is under way, the second is 409 with Retry-After", async () => {
  await using bench = await httpBench();
  const body = JSON.stringify(JOB);
  const head = (length: number) =>
    "POST /jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" +
    `idempotency-key: abc\r\ncontent-length: ${length}\r\n\r\n`;
  using slow = await RawConnection.open(bench.server.port);
  await slow.send(head(body.length) + body.slice(0, 5));
  const deadlineMs = performance.now() + 30_000;
  // What is no JSON adds nothing, and says whether the server has seen the head of the first one.
  const probe = () => bench.call("/jobs", { method: "POST", body: "{", headers: JSON_WITH_KEY });
  let answer = await probe();
  while (answer.status !== 409 && performance.now() < deadlineMs) answer = await probe();
  assertProblem(answer, 409, /is under way/);
  assert.equal(answer.headers.get("retry-after"), "1");
  await slow.send(body.slice(5));
  const first = await slow.answer();
  assert.equal(first.status, 201);
  assert.equal((await bench.post("/jobs", JOB, JSON_WITH_KEY)).text, first.text);
});

Deno.test("a key that is none is 400, and nothing is added", async () => {
  await using bench = await httpBench();
  for (const key of ['""', "a, b", "x".repeat(300)]) {
    assertProblem(
      await bench.post("/jobs", JOB, { "idempotency-key": key }),
      400,
      /Idempotency-Key/,
    );
  }
  assert.deepEqual(await idsIn(bench), []);
});

Deno.test("of many equal requests at once one adds its job", async () => {
  await using bench = await httpBench();
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => bench.post("/jobs", JOB, KEY)),
  );
  const ids = new Set(
    answers.filter(({ status }) => status === 201).map(({ body }) => body.job_id),
  );
  assert.equal(ids.size, 1);
  assert.ok(answers.every(({ status }) => status === 201 || status === 409));
  assert.equal((await idsIn(bench)).length, 1);
});
