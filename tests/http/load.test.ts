/** What keeps one client, or many, from taking everything: depth, rate, bodies, connections. */
import assert from "node:assert/strict";
import { RateLimiter } from "../../src/http/rate_limit.ts";
import { silentLog } from "../helpers/silent_log.ts";
import { createToken } from "../../src/queue/tokens.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, httpBench, isTokenKnown, rawCall, RawConnection } from "../helpers/http.ts";

const COUNT = { kind: "count", payload: "x" };

Deno.test("over max-queue-depth adding is 429 with Retry-After, and works again when there is room", async () => {
  await using bench = await httpBench({ maxDepth: 2 });
  assert.equal((await bench.post("/jobs", { ...COUNT, id: "a" })).status, 201);
  assertProblem(await bench.post("/jobs/batch", [COUNT, COUNT]), 429, /1 wait, and 2/);
  assert.equal((await bench.upload({ file: "x" })).status, 201);
  for (const full of [await bench.post("/jobs", COUNT), await bench.upload({ file: "x" })]) {
    const problem = assertProblem(full, 429, /at most 2 waiting jobs \(max-queue-depth\)/);
    assert.equal(problem.type, "urn:queuectl:problem:queue-full");
    assert.match(full.headers.get("retry-after") ?? "", /^\d+$/);
  }
  assert.equal((await bench.call("/jobs")).body.jobs.length, 2);
  await bench.claim();
  assert.equal((await bench.post("/jobs", COUNT)).status, 201);
});

Deno.test("over rate-limit requests are 429 with Retry-After; healthz is not counted", async () => {
  await using bench = await httpBench({ settings: { "rate-limit": 2 } });
  // All at once, so that on a slow machine, too, most come in the first seconds.
  const answers = await Promise.all(Array.from({ length: 30 }, () => bench.call("/stats")));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 10, `only ${refused.length} of 30 were refused`);
  const answered = answers.filter(({ status }) => status === 200);
  assert.ok(answered.length >= 2, "a second's worth was let through");
  assertProblem(refused[0]!, 429, /rate-limit/);
  assert.equal(refused[0]!.headers.get("retry-after"), "1");
  assert.equal((await bench.call("/healthz")).status, 200);
  const isAnswered = async () => (await bench.call("/stats")).status === 200;
  await eventually(isAnswered, { what: "requests were answered again", everyMs: 300 });
});

Deno.test("each token has a rate of its own", async () => {
  await using bench = await httpBench({ settings: { "rate-limit": 20 } });
  const bearer = async (name: string) => {
    const request = { name, scopes: "read", expiresInMs: null };
    const { secret } = await createToken(bench.store, request, { by: "test", atMs: 1 });
    return { authorization: `Bearer ${secret}` };
  };
  const [greedy, modest] = [await bearer("greedy"), await bearer("modest")];
  await eventually(() => isTokenKnown(bench, modest), {
    what: "the tokens counted",
    everyMs: 200,
  });
  const status = async (headers: Record<string, string>) =>
    (await bench.call("/stats", { headers })).status;
  // Many at once: on a slow machine, one after the other would be fewer than the limit.
  const spree = () => Promise.all(Array.from({ length: 60 }, () => status(greedy)));
  await eventually(async () => (await spree()).includes(429), { what: "one was refused" });
  assert.equal(await status(modest), 200);
});

Deno.test("the rate limit lets through a second's worth at once, then one by one", () => {
  const rates = new RateLimiter(4);
  for (let count = 0; count < 4; count++) assert.equal(rates.waitMs("a", 1_000), 0);
  assert.equal(rates.waitMs("a", 1_000), 250);
  assert.equal(rates.waitMs("b", 1_000), 0);
  assert.equal(rates.waitMs("a", 1_125), 125);
  assert.equal(rates.waitMs("a", 1_250), 0);
  assert.equal(rates.waitMs("a", 1_250), 250);
  for (let count = 0; count < 4; count++) assert.equal(rates.waitMs("a", 99_000), 0);
  assert.ok(rates.waitMs("a", 99_000) > 0, "idleness saves up no more than a second's worth");
});

Deno.test("when all bodies together are too large, the oldest is given up and a new one is taken", async () => {
  await using bench = await httpBench({ mostBodyBytes: 300_000 });
  const { port } = bench.server;
  const head = (...lines: string[]) =>
    [
      "POST /jobs HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Content-Type: application/json",
      ...lines,
      "",
      "",
    ]
      .join("\r\n");
  using slow = await RawConnection.open(port);
  await slow.send(head("Transfer-Encoding: chunked"));
  const chunk = `${(100_000).toString(16)}\r\n${" ".repeat(100_000)}\r\n`;
  await slow.send(chunk + chunk);
  const body = JSON.stringify({ kind: "count", payload: "x".repeat(200_000) });
  // What the slow one has sent may still be on its way when the first of these is read.
  await eventually(async () => {
    const answer = await rawCall(port, head(`Content-Length: ${body.length}`), body);
    assert.equal(answer.status, 201, answer.text);
    return await slow.answer(200).then((given) => assertProblem(given, 503, /too large now/));
  }, { what: "the slow body was given up" });
});

/** The connection is closed by the server. */
async function isClosed(connection: RawConnection): Promise<boolean> {
  return await connection.answer(20).then(() => true, ({ message }) => !/^no answer/.test(message));
}

Deno.test({
  name: "beyond max-connections silent connections are closed, and requests are answered again",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const logged: string[] = [];
    const log = { ...silentLog, error: (event: string) => void logged.push(event) };
    await using bench = await httpBench({ log, settings: { "max-connections": 20 } });
    const { port } = bench.server;
    const silent: RawConnection[] = [];
    for (let count = 0; count < 60; count++) {
      const connection = await RawConnection.open(port);
      // Idle from the start, in the middle of their headers, and after an answer.
      if (count % 3 === 1) await connection.send("GET / HTTP/1.1\r\nX: ");
      if (count % 3 === 2) {
        await connection.send(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
        assert.equal((await connection.answer()).status, 200);
      }
      silent.push(connection);
    }
    const areClosed = async () => (await Promise.all(silent.map(isClosed))).every(Boolean);
    await eventually(areClosed, { what: "all were closed", everyMs: 100 });
    assert.ok(logged.includes("http.connections_closed"));
    await eventually(async () => (await bench.call("/healthz")).status === 200, {
      what: "the server answered again",
    });
    for (const connection of silent) connection[Symbol.dispose]();
  },
});
