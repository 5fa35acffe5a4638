/** The files of a job over HTTP: what it was given, and what it has left. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { DroppedFile } from "../../src/store/store.ts";
import { assertProblem, type HttpBench, httpBench } from "../helpers/http.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A finished job whose attempt has left these files. */
async function jobThatLeft(
  { queue, store, addCount, settle }: HttpBench,
  files: Readonly<Record<string, Uint8Array>>,
  dropped: readonly DroppedFile[] = [],
): Promise<string> {
  const id = await addCount();
  const kept: { file: number; name: string; bytes: number }[] = [];
  for (const [name, bytes] of Object.entries(files)) {
    const about = { role: "artifact", name, mediaType: null, expectedBytes: 0 } as const;
    kept.push({ ...await queue.stageFile(about, [bytes]), name });
  }
  await settle({ event: "complete", result: "1" }, { artifacts: { attempt: 1, kept, dropped } });
  assert.equal((await store.find(id))!.hasFiles, true);
  return id;
}

Deno.test("what a job has left is listed, with what was not kept", async () => {
  await using http = await httpBench();
  const dropped = [{ name: "huge", bytes: 10 ** 9, problem: "it is too large" }];
  const id = await jobThatLeft(http, { "a.txt": bytesOf("abc"), "d/b": bytesOf("") }, dropped);
  const { status, body } = await http.call(`/jobs/${id}/artifacts`);
  assert.equal(status, 200);
  assert.equal(body.job_id, id);
  assert.deepEqual(
    body.artifacts.map((
      one: Record<string, unknown>,
    ) => [one["name"], one["bytes"], one["attempt"]]),
    [["a.txt", 3, 1], ["d/b", 0, 1]],
  );
  assert.deepEqual(body.artifacts_dropped, [
    { name: "huge", bytes: 10 ** 9, attempt: 1, reason: "it is too large" },
  ]);
  const whole = (await http.call(`/jobs/${id}`)).body;
  assert.deepEqual(whole.artifacts, body.artifacts);
  assert.deepEqual(whole.artifacts_dropped, body.artifacts_dropped);
});

Deno.test("a job that has left nothing has an empty list", async () => {
  await using http = await httpBench();
  const id = await http.addCount();
  const { body } = await http.call(`/jobs/${id}/artifacts`);
  assert.deepEqual(body, { job_id: id, artifacts: [], artifacts_dropped: [] });
  assertProblem(
    await http.call(`/jobs/${id}/artifacts/a.txt`),
    404,
    /no artifact "a.txt"; it has none/,
  );
});

Deno.test("an artifact comes as it was left, to be saved and not to be shown", async () => {
  await using http = await httpBench();
  const page = bytesOf("<script>alert(1)</script>");
  const id = await jobThatLeft(http, { 'dir/grün "1".html': page });
  const path = `/jobs/${id}/artifacts/${encodeURIComponent('dir/grün "1".html')}`;
  const answer = await http.call(path);
  assert.deepEqual([answer.status, answer.text], [200, "<script>alert(1)</script>"]);
  assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  assert.equal(answer.headers.get("content-length"), String(page.length));
  assert.equal(
    answer.headers.get("content-disposition"),
    `attachment; filename="gr_n _1_.html"; filename*=UTF-8''gr%C3%BCn%20%221%22.html`,
  );
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  const head = await http.call(path, { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal(head.headers.get("content-length"), String(page.length));
});

Deno.test("a large artifact of many pieces comes whole", async () => {
  await using http = await httpBench();
  const bytes = new Uint8Array(3 * 2 ** 20 + 7).map((_, index) => index % 251);
  const id = await jobThatLeft(http, { "big.bin": bytes });
  const response = await fetch(`${http.server.url}/jobs/${id}/artifacts/big.bin`);
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
});

Deno.test("a file that was not kept is 404, and the answer says why", async () => {
  await using http = await httpBench();
  const dropped = [{ name: "huge", bytes: 10, problem: "more than artifact-limit allows" }];
  const id = await jobThatLeft(http, {}, dropped);
  assertProblem(await http.call(`/jobs/${id}/artifacts/huge`), 404, /more than artifact-limit/);
});

Deno.test("artifacts of unknown jobs are 404, other methods 405", async () => {
  await using http = await httpBench();
  assertProblem(await http.call("/jobs/nobody/artifacts"), 404);
  assertProblem(await http.call("/jobs/nobody/artifacts/x"), 404);
  assertProblem(await http.call("/jobs/nobody/input"), 404);
  assertProblem(await http.call("/jobs/nobody/input", { method: "POST" }), 405);
});

Deno.test("the input of a job comes back, however it was stored", async () => {
  await using http = await httpBench({
    settings: { "upload-limit": 8 * 2 ** 20, "allow-commands": true },
  });
  const large = new Uint8Array(3 * 2 ** 20).fill(97);
  const uploads: { file: Uint8Array; [field: string]: string | Uint8Array }[] = [
    {
      file: bytesOf("small"),
    },
    { file: large },
    {
      file: Uint8Array.of(255, 0),
      command: "true",
    },
  ];
  for (const upload of uploads) {
    const { job_id } = (await http.upload(upload)).body;
    const response = await fetch(`${http.server.url}/jobs/${job_id}/input`);
    assert.equal(response.status, 200);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(upload.file));
    assert.match(response.headers.get("content-disposition")!, /^attachment; filename="\w+\.txt"/);
  }
});

Deno.test("a job without an input file has no input: 404", async () => {
  await using http = await httpBench();
  const { id } = await http.queue.add({ command: "true" });
  assertProblem(await http.call(`/jobs/${id}/input`), 404, /without a file/);
});

Deno.test("deleting a job deletes its files", async () => {
  await using http = await httpBench();
  const id = await jobThatLeft(http, { "a.txt": bytesOf("abc") });
  assert.notEqual(await http.store.filePiece(1, 0), null);
  assert.equal((await http.call(`/jobs/${id}`, { method: "DELETE" })).status, 200);
  assert.equal(await http.store.filePiece(1, 0), null);
  assertProblem(await http.call(`/jobs/${id}/artifacts`), 404);
});

Deno.test("a download whose job is deleted meanwhile is broken off, never silently cut", async () => {
  await using http = await httpBench();
  const id = await jobThatLeft(http, { "big.bin": new Uint8Array(40 * 2 ** 20) });
  const response = await fetch(`${http.server.url}/jobs/${id}/artifacts/big.bin`);
  const reader = response.body!.getReader();
  await reader.read();
  await http.call(`/jobs/${id}`, { method: "DELETE" });
  await assert.rejects(async () => {
    while (!(await reader.read()).done) { /* all that still comes */ }
  });
});
