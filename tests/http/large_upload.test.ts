/** Uploads that are too large for memory: taken while they come, by the same rules as small ones. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assertProblem, type HttpBench, httpBench, RawConnection } from "../helpers/http.ts";
import { eventually } from "../helpers/eventually.ts";

const MIB = 2 ** 20;
/** Larger than what is read into memory. */
const LIMIT = 4 * MIB;
const LARGE = 3 * MIB;

const bench = (options: Parameters<typeof httpBench>[0] = {}) =>
  httpBench({ ...options, settings: { "upload-limit": LIMIT, ...options.settings } });

const text = (bytes: number, character = "é") =>
  new TextEncoder().encode(character.repeat(bytes / new TextEncoder().encode(character).length));

/** The only input file there is, with its bytes; null: there is no job. */
async function storedInput({ store, queue }: HttpBench) {
  const [job] = (await store.list({ limit: 10 })).jobs;
  if (job === undefined) return null;
  const [file] = await store.files(job.seq);
  const pieces: Uint8Array[] = [];
  for await (const piece of queue.readFile(file!)) pieces.push(piece.slice());
  return { job, file: file!, bytes: Buffer.concat(pieces) };
}

/** That nothing is left: no job, and no file that nobody has. */
async function assertNothingStored({ store }: HttpBench) {
  assert.deepEqual((await store.list({ limit: 10 })).jobs, []);
  // What was refused is given up, and swept right after.
  await eventually(async () => await store.filePiece(1, 0) === null, {
    what: "the file is deleted",
  });
  assert.equal(await store.sweepFiles(Number.MAX_SAFE_INTEGER), false);
}

Deno.test("a large upload becomes a count job with the whole text as its input", async () => {
  await using http = await bench();
  const upload = text(LARGE);
  const answer = await http.upload({ file: upload, id: "big" });
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.body, { job_id: "big", status: "pending" });
  const { job, file, bytes } = (await storedInput(http))!;
  assert.equal(job.kind, "count");
  assert.deepEqual([file.name, file.bytes], ["upload.txt", LARGE]);
  assert.ok(bytes.equals(upload));
  const { body } = await http.call("/jobs/big");
  assert.deepEqual([body.payload, body.payload_bytes], [null, LARGE]);
  assert.equal(body.input.bytes, LARGE);
});

Deno.test("a large upload may have exactly the limit, not a byte more", async () => {
  await using http = await bench();
  assert.equal((await http.upload({ file: text(LIMIT) })).status, 201);
  const over = new Uint8Array(LIMIT + 1).fill(97);
  assertProblem(await http.upload({ file: over }), 413, /at most 4194304 bytes/);
  assert.equal((await http.store.list({ limit: 10 })).jobs.length, 1);
});

Deno.test("a large upload that announces too much is 413 before it is read", async () => {
  await using http = await bench();
  using connection = await RawConnection.open(http.server.port);
  await connection.send(
    "POST /jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary=X\r\n" +
      "content-length: 8000000000\r\n\r\n",
  );
  assertProblem(await connection.answer(), 413, /8000000000 bytes were announced/);
  await assertNothingStored(http);
});

Deno.test("a large text that is not UTF-8 is 400, saying where, and leaves nothing", async () => {
  await using http = await bench();
  const upload = text(LARGE);
  upload[MIB * 2 + 1] = 0xff;
  const answer = await http.upload({ file: upload });
  assertProblem(answer, 400, /not UTF-8 text: byte 2097152 \(0xc3\)/);
  await assertNothingStored(http);
});

Deno.test("fields may stand before and after a large file", async () => {
  await using http = await bench();
  const form = new FormData();
  form.append("queue", "films");
  form.append("file", new Blob([text(LARGE)]), "film.txt");
  form.append("priority", "7");
  const answer = await http.call("/jobs", { method: "POST", body: form });
  assert.equal(answer.status, 201, answer.text);
  const { job } = (await storedInput(http))!;
  assert.deepEqual([job.queue, job.priority], ["films", 7]);
});

Deno.test("every mistake of a large form is named, and leaves nothing", async () => {
  await using http = await bench();
  const answer = await http.upload({ file: text(LARGE), priority: "high", colour: "red" });
  const problem = assertProblem(answer, 422);
  assert.deepEqual(problem.errors.map((one: { pointer: string }) => one.pointer).sort(), [
    "/colour",
    "/priority",
  ]);
  await assertNothingStored(http);
});

Deno.test("a large form without a file, or with two, is 422 and leaves nothing", async () => {
  await using http = await bench();
  const none = new FormData();
  none.append("other", new Blob([new Uint8Array(MIB)]));
  none.append("another", new Blob([new Uint8Array(MIB)]));
  const refused = await http.call("/jobs", { method: "POST", body: none });
  assert.equal(refused.status, 413, refused.text);
  const two = new FormData();
  two.append("file", new Blob([text(MIB)]), "a");
  two.append("file", new Blob([text(MIB)]), "b");
  const answer = await http.call("/jobs", { method: "POST", body: two });
  assertProblem(answer, 422, /file: expected once, got more than one/);
  await assertNothingStored(http);
});

Deno.test("an id in use is 409, and the large upload leaves nothing", async () => {
  await using http = await bench();
  await http.addCount("x", { id: "taken" });
  assertProblem(await http.upload({ file: text(LARGE), id: "taken" }), 409);
  assert.equal(await http.store.filePiece(1, 0), null);
  assert.equal((await http.store.list({ limit: 10 })).jobs.length, 1);
});

const HEAD = '--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
const request = (length: number | "chunked") =>
  "POST /jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary=X\r\n" +
  (length === "chunked"
    ? "transfer-encoding: chunked\r\n\r\n"
    : `content-length: ${length}\r\n\r\n`);

Deno.test("a large body that ends without its last delimiter is 400 and leaves nothing", async () => {
  await using http = await bench();
  using connection = await RawConnection.open(http.server.port);
  await connection.send(request(HEAD.length + LARGE));
  await connection.send(HEAD);
  await connection.send(new Uint8Array(LARGE).fill(97));
  assertProblem(await connection.answer(), 400, /the part "file" does not end/);
  await assertNothingStored(http);
});

Deno.test("a large upload whose sender goes away leaves nothing", async () => {
  await using http = await bench();
  const connection = await RawConnection.open(http.server.port);
  await connection.send(request(LARGE));
  await connection.send(HEAD);
  await connection.send(new Uint8Array(MIB).fill(97));
  await eventually(async () => await http.store.filePiece(1, 0) !== null, {
    what: "a piece is stored",
  });
  connection[Symbol.dispose]();
  await assertNothingStored(http);
});

Deno.test("a body of unknown length is taken up to the limit, and is 413 beyond", async () => {
  await using http = await bench();
  const chunk = (bytes: Uint8Array) => [
    `${bytes.length.toString(16)}\r\n`,
    bytes,
    "\r\n",
  ];
  const send = async (bytes: number) => {
    using connection = await RawConnection.open(http.server.port);
    await connection.send(request("chunked"));
    try {
      for (const part of chunk(new TextEncoder().encode(HEAD))) await connection.send(part);
      for (let sent = 0; sent < bytes; sent += MIB / 2) {
        for (const part of chunk(new Uint8Array(MIB / 2).fill(97))) await connection.send(part);
      }
      for (const part of chunk(new TextEncoder().encode("\r\n--X--"))) await connection.send(part);
      await connection.send("0\r\n\r\n");
    } catch { /* refused before all was sent */ }
    return await connection.answer();
  };
  assert.equal((await send(LIMIT)).status, 201);
  assertProblem(await send(LIMIT + MIB), 413, /at most 4[0-9]+ bytes/);
  assert.equal((await http.store.list({ limit: 10 })).jobs.length, 1);
});

Deno.test("a large upload that stands still is given up, and leaves nothing", async () => {
  await using http = await bench({ bodyStallMs: 200 });
  using connection = await RawConnection.open(http.server.port);
  await connection.send(request(LARGE));
  await connection.send(HEAD);
  await connection.send(new Uint8Array(MIB).fill(97));
  assertProblem(await connection.answer(), 408);
  await assertNothingStored(http);
});

Deno.test("closing the server ends a large upload that stands still", async () => {
  const http = await bench({ closeMs: 100 });
  using connection = await RawConnection.open(http.server.port);
  await connection.send(request(LARGE));
  await connection.send(HEAD);
  await connection.send(new Uint8Array(MIB).fill(97));
  await eventually(async () => await http.store.filePiece(1, 0) !== null, {
    what: "a piece is stored",
  });
  const startedMs = performance.now();
  await http[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedMs < 20_000, "closing took too long");
});

Deno.test("a small upload of another kind has its file, its name and its payload", async () => {
  await using http = await httpBench({ settings: { "allow-commands": true } });
  const form = new FormData();
  form.append("kind", "command");
  form.append("payload", JSON.stringify(["wc", "-l"]));
  form.append("file", new Blob([Uint8Array.of(0, 255)], { type: "text/csv" }), "dir/ta\tble.csv");
  const answer = await http.call("/jobs", { method: "POST", body: form });
  assert.equal(answer.status, 201, answer.text);
  const { file, bytes } = (await storedInput(http))!;
  assert.deepEqual([file.name, file.mediaType, [...bytes]], ["ta_ble.csv", "text/csv", [0, 255]]);
  const { body } = await http.call(`/jobs/${answer.body.job_id}`);
  assert.deepEqual(body.payload.command, ["wc", "-l"]);
  assert.deepEqual(body.input, { name: "ta_ble.csv", media_type: "text/csv", bytes: 2 });
});

Deno.test("the command of an upload may stand in the field command", async () => {
  await using http = await httpBench({ settings: { "allow-commands": true } });
  const answer = await http.upload({ command: 'wc -l < "$QUEUECTL_INPUT"', file: text(10) });
  assert.equal(answer.status, 201, answer.text);
  assert.equal((await storedInput(http))!.job.kind, "command");
});

Deno.test("commands with uploads are refused like all commands, small and large", async () => {
  await using http = await bench();
  for (const file of [text(10), text(LARGE)]) {
    assertProblem(await http.upload({ command: "true", file }), 403, /--allow-commands/);
    assertProblem(await http.upload({ kind: "command", payload: '"true"', file }), 403);
  }
  await assertNothingStored(http);
});

Deno.test("bad kinds and payloads of an upload are refused", async () => {
  await using http = await httpBench();
  const file = text(10);
  assertProblem(await http.upload({ kind: "nothing", file }), 422, /kind: expected one of/);
  assertProblem(
    await http.upload({ payload: '"x"', file }),
    422,
    /either a text to count or a file/,
  );
  assertProblem(await http.upload({ payload: "{", file }), 400, /the field payload/);
  await assertNothingStored(http);
});
