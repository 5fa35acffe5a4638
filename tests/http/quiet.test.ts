/**
 * Connections that say nothing for too long are closed, and no others. "Long" is here how long it
 * takes until several that send half a head, one after the other, have been closed.
 */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { eventually } from "../helpers/eventually.ts";
import { type HttpBench, httpBench, type HttpBenchOptions } from "../helpers/http.ts";
import { RawLine } from "../helpers/raw_line.ts";

const PATIENCE = { headMs: 200, idleMs: 500, lookEveryMs: 50 };

const HALF_A_HEAD = "GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";

function head(request: string, ...lines: string[]): string {
  return [`${request} HTTP/1.1`, "Host: 127.0.0.1", ...lines, "", ""].join("\r\n");
}

const LONG = "a".repeat(20 * 2 ** 20);

/** A finished job with a long result, which has left a long file too. */
async function longJob({ addCount, queue, settle }: HttpBench): Promise<string> {
  const id = await addCount();
  const about = { role: "artifact", name: "long", mediaType: null, expectedBytes: 0 } as const;
  const file = await queue.stageFile(about, [new TextEncoder().encode(LONG)]);
  const kept = [{ ...file, name: "long" }];
  const artifacts = { attempt: 1, kept, dropped: [] };
  await settle({ event: "complete", result: JSON.stringify({ text: LONG }) }, { artifacts });
  return id;
}

async function quietBench(options: HttpBenchOptions = {}): Promise<HttpBench> {
  return await httpBench({ quiet: PATIENCE, ...options });
}

/** Waits until quiet connections have been closed for a good while: `isAlive` must hold all along. */
async function forLong({ server }: HttpBench, isAlive: () => boolean): Promise<void> {
  const untilMs = performance.now() + 4 * PATIENCE.idleMs;
  for (let round = 1; round <= 3 || performance.now() < untilMs; round++) {
    using quiet = await RawLine.open(server.port);
    await quiet.send(HALF_A_HEAD);
    await quiet.closed();
    assert.ok(isAlive(), `still there after ${round} others`);
  }
}

function linuxTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
}

linuxTest("a connection that never ends its request's head is closed", async () => {
  await using bench = await quietBench();
  for (const text of [HALF_A_HEAD, "G", "\r\n", ""]) {
    using line = await RawLine.open(bench.server.port);
    await line.send(text);
    await line.closed();
    assert.equal(line.received, "");
  }
});

linuxTest("sending a byte of the head at a time gains nothing", async () => {
  await using bench = await quietBench();
  using line = await RawLine.open(bench.server.port);
  await line.send(HALF_A_HEAD);
  await eventually(async () => {
    await line.send("x").catch(() => {});
    return line.isClosed;
  }, { what: "it was closed all the same" });
});

const UPLOAD = '--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello' +
  "\r\n--XX--\r\n";

const ANSWERED: readonly [name: string, request: string][] = [
  ["a small answer", head("GET /healthz")],
  ["an answer without a body", head("HEAD /healthz")],
  ["a refusal", head("GET /nowhere")],
  [
    "an upload",
    head(
      "POST /jobs",
      "Content-Type: multipart/form-data; boundary=XX",
      `Content-Length: ${UPLOAD.length}`,
    ) + UPLOAD,
  ],
  ["a wait for a job", head("GET /jobs/known/status?wait=1")],
  ["an answer of some size", head("GET /openapi.json")],
  ["an answer that is a stream", head("GET /jobs/known/artifacts/long")],
];

for (const [name, request] of ANSWERED) {
  linuxTest(`after ${name} an idle connection is closed, but not at once`, async () => {
    await using bench = await quietBench();
    const id = await longJob(bench);
    using line = await RawLine.open(bench.server.port);
    await line.send(request.replace("known", id));
    await line.answers(1);
    const answeredAtMs = performance.now();
    await line.closed();
    const keptMs = performance.now() - answeredAtMs;
    assert.ok(keptMs > PATIENCE.idleMs / 2, `kept for ${keptMs} ms`);
  });
}

linuxTest("a second request whose head never ends is closed too", async () => {
  await using bench = await quietBench();
  using line = await RawLine.open(bench.server.port);
  await line.send(head("GET /healthz"));
  await line.answers(1);
  await line.send(HALF_A_HEAD);
  await eventually(async () => {
    await line.send("x").catch(() => {});
    return line.isClosed;
  }, { what: "it was closed" });
});

for (
  const [host, callers] of [["127.0.0.1", ["127.0.0.1"]], ["::", ["127.0.0.1", "::1"]]] as const
) {
  for (const caller of callers) {
    linuxTest(`who waits for a job lives on: ${caller} at a listener on ${host}`, async () => {
      await using bench = await quietBench({ settings: { host, insecure: true } });
      const id = await bench.addCount();
      using line = await RawLine.open(bench.server.port, caller);
      await line.send(head(`GET /jobs/${id}/result?wait=60`));
      await forLong(bench, () => !line.isClosed);
      await bench.settle({ event: "complete", result: '{"characters":5}' });
      await line.answers(1);
      assert.match(line.received, /"characters":5/);
    });
  }
}

linuxTest("an upload that comes slowly lives on", async () => {
  await using bench = await quietBench();
  using line = await RawLine.open(bench.server.port);
  const type = "Content-Type: multipart/form-data; boundary=XX";
  await line.send(head("POST /jobs", type, `Content-Length: ${UPLOAD.length}`));
  await line.send(UPLOAD.slice(0, 20));
  await forLong(bench, () => !line.isClosed);
  await line.send(UPLOAD.slice(20));
  await line.answers(1);
  assert.match(line.received, /^HTTP\/1\.1 201 /);
});

linuxTest("a stream of events on which nothing happens lives on", async () => {
  await using bench = await quietBench();
  using line = await RawLine.open(bench.server.port);
  await line.send(head("GET /events"));
  await line.answers(1);
  await forLong(bench, () => !line.isClosed);
  const id = await bench.addCount();
  await eventually(() => line.received.includes(id), { what: "the event came" });
});

linuxTest("a connection with steady requests lives on", async () => {
  await using bench = await quietBench();
  using line = await RawLine.open(bench.server.port);
  let answers = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      await line.send(head("GET /healthz"));
      await line.answers(++answers);
      await pause(20);
    }
  })();
  await forLong(bench, () => !line.isClosed);
  isOver = true;
  await asking;
  assert.ok(!line.isClosed && answers > 8);
});

for (const [name, path] of [["held in memory", "result"], ["a stream", "artifacts/long"]]) {
  linuxTest(`an answer that its caller takes slowly is sent to its end: ${name}`, async () => {
    await using bench = await quietBench();
    const id = await longJob(bench);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: bench.server.port });
    try {
      await connection.write(new TextEncoder().encode(head(`GET /jobs/${id}/${path}`)));
      await forLong(bench, () => true);
      const buffer = new Uint8Array(2 ** 20);
      let bytes = 0;
      while (bytes < LONG.length) {
        const length = await connection.read(buffer);
        assert.ok(length !== null, `closed after ${bytes} bytes`);
        bytes += length;
      }
    } finally {
      connection.close();
    }
  });
}

linuxTest(
  "two thousand quiet connections are closed, and the busy one among them is not",
  async () => {
    await using bench = await quietBench();
    const id = await bench.addCount();
    using waiting = await RawLine.open(bench.server.port);
    await waiting.send(head(`GET /jobs/${id}/result?wait=60`));
    const quiet = await Promise.all(
      Array.from({ length: 2_000 }, () => RawLine.open(bench.server.port)),
    );
    try {
      await Promise.all(quiet.map((line) => line.send(HALF_A_HEAD).catch(() => {})));
      await eventually(() => quiet.every(({ isClosed }) => isClosed), { what: "all were closed" });
      assert.ok(!waiting.isClosed);
      await bench.settle({ event: "complete", result: "1" });
      await waiting.answers(1);
    } finally {
      for (const line of quiet) line[Symbol.dispose]();
    }
  },
);
