/** Limits on what a client may send, and for how long: held without holding the body. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import {
  assertProblem,
  type HttpBench,
  httpBench,
  rawCall,
  RawConnection,
} from "../helpers/http.ts";

const MIB = 1_048_576;

/** The head of a request with these header lines. */
function head(bench: HttpBench, path: string, ...lines: string[]): string {
  const host = `Host: 127.0.0.1:${bench.server.port}`;
  return [`POST ${path} HTTP/1.1`, host, ...lines, "", ""].join("\r\n");
}

const FORM = "Content-Type: multipart/form-data; boundary=XX";
const BEFORE = '--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
const AFTER = "\r\n--XX--\r\n";

Deno.test("an upload of exactly 1 MiB is accepted, one byte more is 413", async () => {
  await using bench = await httpBench();
  const upload = new Uint8Array(MIB + 1).fill(97);
  const exact = await bench.upload({ file: upload.subarray(0, MIB), id: "exact" });
  assert.equal(exact.status, 201, exact.text);
  const stored = await bench.queue.payload(await bench.queue.find("exact"));
  assert.equal(stored.length, MIB);
  assertProblem(await bench.upload({ file: upload, id: "more" }), 413, /1048576/);
  assert.equal((await bench.call("/jobs")).body.jobs.length, 1);
});

Deno.test("an upload of 1 MiB that holds no ASCII at all is accepted", async () => {
  await using bench = await httpBench();
  const answer = await bench.upload({ file: new TextEncoder().encode("é".repeat(MIB / 2)) });
  assert.equal(answer.status, 201, answer.text);
});

Deno.test("an upload of many line breaks that look like delimiters is accepted quickly", async () => {
  await using bench = await httpBench();
  const file = "\r\n--X\r\n--XX_".repeat(80_000).slice(0, MIB);
  const startedAtMs = performance.now();
  const length = BEFORE.length + file.length + AFTER.length;
  const request = head(bench, "/jobs", FORM, `Content-Length: ${length}`);
  const answer = await rawCall(bench.server.port, request, BEFORE, file, AFTER);
  assert.equal(answer.status, 201, answer.text);
  assert.ok(performance.now() - startedAtMs < 15_000, "the search is linear");
});

Deno.test("a body that is announced to be too long is 413 before any of it was sent", async () => {
  await using bench = await httpBench();
  const cases = [
    ["/jobs", FORM, 2 * MIB],
    ["/jobs", "Content-Type: application/json", MIB + 1],
    ["/jobs/batch", "Content-Type: application/json", 16 * MIB + 1],
    ["/jobs", FORM, 10 ** 12],
  ] as const;
  for (const [path, type, length] of cases) {
    const request = head(bench, path, type, `Content-Length: ${length}`);
    assertProblem(await rawCall(bench.server.port, request), 413, /announced/);
  }
});

Deno.test("a body in chunks is cut at the limit: 413 while it still comes", async () => {
  await using bench = await httpBench({ settings: { "upload-limit": 64 * 1024 } });
  using connection = await RawConnection.open(bench.server.port);
  await connection.send(head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"));
  const chunk = `${(32_768).toString(16)}\r\n${"a".repeat(32_768)}\r\n`;
  for (let sent = 0; sent < 5; sent++) await connection.send(chunk);
  // The last chunk was not sent: an answer can only come from counting.
  assertProblem(await connection.answer(), 413, /131072 bytes, but more came/);
});

Deno.test("a body in chunks within the limit is accepted", async () => {
  await using bench = await httpBench();
  const answer = await rawCall(
    bench.server.port,
    head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"),
    ...[BEFORE, "hel", "lo", AFTER].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`),
    "0\r\n\r\n",
  );
  assert.equal(answer.status, 201, answer.text);
  assert.equal((await bench.call(`/jobs/${answer.body.job_id}`)).body.payload, "hello");
});

Deno.test("a sender that does not listen while it sends too much still reads the 413", async () => {
  await using bench = await httpBench();
  using connection = await RawConnection.open(bench.server.port);
  const length = 2 * MIB;
  await connection.send(head(bench, "/jobs", FORM, `Content-Length: ${length}`));
  await connection.send(new Uint8Array(length));
  assertProblem(await connection.answer(), 413);
});

Deno.test("callers that listen while they send too much always read the 413", async () => {
  await using bench = await httpBench();
  const url = `http://127.0.0.1:${bench.server.port}/jobs`;
  const send = async (body: BodyInit, type?: string) => {
    const headers = type === undefined ? undefined : { "content-type": type };
    const answer = await fetch(url, { method: "POST", body, headers });
    assert.equal(answer.status, 413, await answer.text());
  };
  const text = "a".repeat(4 * MIB);
  for (let round = 0; round < 10; round++) {
    const form = new FormData();
    form.append("file", new Blob([text]), "a.txt");
    await send(form);
    await send(text, "application/json");
    await send(new Blob([text]).stream(), "application/json");
  }
});

Deno.test("a body that never ends is refused while it comes", async () => {
  await using bench = await httpBench();
  using connection = await RawConnection.open(bench.server.port);
  await connection.send(head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"));
  const chunk = new TextEncoder().encode(`10000\r\n${"a".repeat(65_536)}\r\n`);
  let isAnswered = false;
  const answer = connection.answer().finally(() => isAnswered = true);
  let bytes = 0;
  for (; !isAnswered && bytes < 512 * MIB; bytes += 65_536) {
    await connection.send(chunk).catch(() => isAnswered = true);
  }
  assertProblem(await answer, 413, /more came/);
  assert.ok(bytes < 512 * MIB);
});

Deno.test("an upload that its sender cuts off stores nothing", async () => {
  await using bench = await httpBench();
  const whole = `${BEFORE}hello${AFTER}`;
  {
    using connection = await RawConnection.open(bench.server.port);
    await connection.send(head(bench, "/jobs", FORM, `Content-Length: ${whole.length + 10}`));
    await connection.send(whole);
    await connection.endSending();
    await connection.answer().catch(() => {});
  }
  assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
  assert.equal((await bench.upload({ file: "x" })).status, 201);
});

Deno.test("a body that stalls is given up: 408", async () => {
  await using bench = await httpBench({ bodyStallMs: 1_000 });
  const cases = [
    head(bench, "/jobs", FORM, "Content-Length: 200"),
    head(bench, "/jobs", FORM, "Content-Length: 900000"),
    head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"),
    head(bench, "/jobs/batch", "Content-Type: application/json", "Content-Length: 200"),
  ];
  await Promise.all(cases.map(async (request) => {
    using connection = await RawConnection.open(bench.server.port);
    await connection.send(request);
    assertProblem(await connection.answer(), 408, /\b1 s/);
  }));
  assert.equal((await bench.upload({ file: "x" })).status, 201);
});

Deno.test("a body that drips a byte at a time is given up too", async () => {
  await using bench = await httpBench({ bodyStallMs: 300 });
  using connection = await RawConnection.open(bench.server.port);
  await connection.send(head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"));
  let isAnswered = false;
  const answering = connection.answer().finally(() => isAnswered = true);
  while (!isAnswered) {
    await connection.send("1\r\na\r\n").catch(() => {});
    await pause(50);
  }
  assertProblem(await answering, 408);
});

Deno.test("a slow body that keeps coming is accepted, however long it takes", async () => {
  await using bench = await httpBench({ bodyStallMs: 3_000 });
  using connection = await RawConnection.open(bench.server.port);
  const piece = "a".repeat(1_000);
  await connection.send(head(bench, "/jobs", FORM, "Transfer-Encoding: chunked"));
  const send = (text: string) => connection.send(`${text.length.toString(16)}\r\n${text}\r\n`);
  await send(BEFORE);
  for (let sent = 0; sent < 8; sent++) {
    await send(piece);
    await pause(450);
  }
  await send(AFTER);
  await connection.send("0\r\n\r\n");
  const answer = await connection.answer();
  assert.equal(answer.status, 201, answer.text);
});
