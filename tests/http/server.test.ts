/** The listener's life: starting, stopping, and losing what it listens with. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { QueueError } from "../../src/job/errors.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePort } from "../helpers/free_port.ts";
import { assertProblem, httpBench, RawConnection } from "../helpers/http.ts";

Deno.test("a port that is in use is refused with a message that says so", async () => {
  await using bench = await httpBench();
  await assert.rejects(httpBench({ settings: { port: bench.server.port } }), (error) => {
    assert.ok(error instanceof QueueError);
    assert.match(error.message, new RegExp(`127.0.0.1:${bench.server.port}.*in use.*--port`));
    return true;
  });
});

Deno.test("an address that this machine does not have is refused with a message", async () => {
  const settings = { host: "192.0.2.1", insecure: true };
  await assert.rejects(httpBench({ settings }), (error) => {
    assert.ok(error instanceof QueueError);
    assert.match(error.message, /^cannot listen on 192\.0\.2\.1:0: /);
    return true;
  });
});

Deno.test("the server's url leads to it, also when bound to every address or to IPv6", async () => {
  for (const host of ["localhost", "0.0.0.0", "::1", "::"]) {
    await using bench = await httpBench({ settings: { host, insecure: true } });
    assert.equal((await bench.call("/healthz")).status, 200, bench.server.url);
  }
});

Deno.test("close() finishes the request that is being answered, and frees the port", async () => {
  const bench = await httpBench({ settings: { port: freePort() } });
  const id = await bench.addCount();
  const { seq, token } = await bench.claim();
  const answering = bench.call(`/jobs/${id}/cancel`, { method: "POST" });
  await eventually(async () => (await bench.store.cancelRequests("test-holder")).length > 0, {
    what: "the cancellation was asked for",
  });
  const closing = bench.server.close();
  await bench.store.settle(
    [{ seq, token, outcome: { event: "abort" } }],
    "test-holder",
    Date.now(),
  );
  assert.equal((await answering).body.state, "cancelled");
  await closing;
  await using next = await httpBench({ settings: { port: bench.server.port } });
  assert.equal((await next.call("/healthz")).status, 200);
  await bench[Symbol.asyncDispose]();
});

Deno.test("close() is not held by an idle connection", async () => {
  const bench = await httpBench({ closeMs: 60_000 });
  const { port } = bench.server;
  using idle = await RawConnection.open(port);
  await idle.send(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  assert.equal((await idle.answer()).status, 200);
  const startedAtMs = performance.now();
  await bench[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedAtMs < 20_000);
});

Deno.test("close() is not held by a stalled upload", async () => {
  const bench = await httpBench({ closeMs: 200 });
  const { port } = bench.server;
  using stalled = await RawConnection.open(port);
  const head = ["POST /jobs HTTP/1.1", `Host: 127.0.0.1:${port}`, "Content-Length: 100"];
  await stalled.send([...head, "Content-Type: application/json", "", "{"].join("\r\n"));
  const startedAtMs = performance.now();
  await bench[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedAtMs < 20_000);
});

Deno.test("a request that is not HTTP does not disturb the others", async () => {
  await using bench = await httpBench();
  for (
    const rubbish of ["\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", "\r\n\r\n\r\n", "x".repeat(70_000)]
  ) {
    using connection = await RawConnection.open(bench.server.port);
    await connection.send(rubbish).catch(() => {});
    await connection.answer(300).catch(() => {});
  }
  assert.equal((await bench.call("/healthz")).status, 200);
});

Deno.test("a header field that is too long is refused, and the server lives on", async () => {
  await using bench = await httpBench();
  const { port } = bench.server;
  using connection = await RawConnection.open(port);
  const head = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX: ${
    "a".repeat(2 ** 20)
  }\r\n\r\n`;
  await connection.send(head).catch(() => {});
  const { status } = await connection.answer(2_000).catch(() => ({ status: 0 }));
  assert.ok(status === 0 || status >= 400, `got ${status}`);
  assertProblem(await bench.call("/nope"), 404);
});

/** Starts a server in a process with few file descriptors, and a way to take them all. */
async function startPoorServer() {
  const script = fileURLToPath(new URL("./descriptor_server.ts", import.meta.url));
  // The process is killed, so that its temporary files are left to its parent.
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  const child = new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 64; exec "$0" run -A --no-check "$1"', Deno.execPath(), script],
    env: { TMPDIR: dir },
    stdout: "piped",
  }).spawn();
  let printed = "";
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (printed += text) }),
  );
  const connections: Deno.Conn[] = [];
  const closeConnections = () => connections.splice(0).forEach((connection) => connection.close());
  await eventually(() => printed.includes("\n"), { what: "the server printed its port" });
  const port = parseInt(printed);
  return {
    get printed() {
      return printed;
    },
    async takeDescriptors() {
      // The listener may be gone before the last of them: then they are enough already.
      for (let count = 0; count < 200; count++) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
        if (connection === null) break;
        connections.push(connection);
      }
      // It may be slow to take what the kernel has accepted for it. Then the runtime ends the
      // listener; where it keeps that to itself, as 2.4 does, the server closes the connections.
      const noticed = /http\.(listener_lost|connections_closed)/;
      await eventually(() => noticed.test(printed), { what: "the server ran out" });
    },
    giveBackDescriptors: closeConnections,
    /** Gives back all but the oldest, which stays open. */
    giveBackMostDescriptors: () => connections.splice(1).forEach((one) => one.close()),
    async answers() {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
        headers: { connection: "close" },
        signal: AbortSignal.timeout(5_000),
      });
      return (await response.text()).includes('"ok"');
    },
    async [Symbol.asyncDispose]() {
      closeConnections();
      child.kill("SIGKILL");
      await child.status;
      await reading;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

const isWindows = Deno.build.os === "windows";

Deno.test({
  name: "running out of file descriptors ends no service: it answers again once there are some",
  ignore: isWindows,
  async fn() {
    await using server = await startPoorServer();
    await server.takeDescriptors();
    server.giveBackDescriptors();
    await eventually(server.answers, { what: "the server answered again" });
  },
});

Deno.test({
  name: "a lost listener comes back although an old connection stays open",
  ignore: isWindows,
  async fn() {
    await using server = await startPoorServer();
    await server.takeDescriptors();
    server.giveBackMostDescriptors();
    await eventually(server.answers, { what: "the server answered again" });
  },
});
