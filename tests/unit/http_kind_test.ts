/** Proves the kind `http`: what it takes, what it sends, what it makes of answers. */
import assert from "node:assert/strict";
import type { HandlerContext, HttpSettings } from "../../src/handlers/handler.ts";
import { http } from "../../src/handlers/http.ts";
import { parseHttpPayload } from "../../src/handlers/http_payload.ts";
import type { LeasedJob } from "../../src/job/job.ts";
import type { AttemptEnd } from "../../src/job/outcome.ts";
import { hideSecretHeaders } from "../../src/lib/outbound/secret_headers.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawServer, Receiver, says, staysSilent } from "../helpers/receiver.ts";
import { TEST_AUTHORITY } from "../helpers/tls.ts";

const SETTINGS: HttpSettings = {
  allowsPrivate: true,
  timeoutMs: 60_000,
  responseLimitBytes: 1_000,
  caFile: null,
};

interface RunOptions {
  readonly settings?: Partial<HttpSettings>;
  readonly job?: Partial<LeasedJob>;
  readonly signal?: AbortSignal;
}

async function run(payload: unknown, { settings, job, signal }: RunOptions = {}) {
  const parsed = http.parsePayload(payload, { cwd: null });
  assert.ok("payload" in parsed, JSON.stringify(parsed));
  let printed = "";
  const end = await http.run(
    { id: "job1", attempts: 0, timeoutMs: null, ...job, payload: parsed.payload } as LeasedJob,
    {
      signal: signal ?? new AbortController().signal,
      settings: { http: { ...SETTINGS, ...settings } },
      writeOutput: (_stream: string, bytes: Uint8Array) => {
        printed += new TextDecoder().decode(bytes);
      },
    } as unknown as HandlerContext,
  );
  return { end, printed };
}

function resultOf(end: AttemptEnd) {
  assert.ok(end.type === "succeeded", JSON.stringify(end));
  return JSON.parse(end.result);
}

function errorOf(end: AttemptEnd) {
  assert.ok(end.type === "failed", JSON.stringify(end));
  return end.error;
}

Deno.test("an http job takes a URL, and fills in the rest", () => {
  const request = { url: "https://a.example/", headers: {} };
  for (
    const [payload, expected] of [
      [{ url: request.url }, { ...request, method: "GET", body: null }],
      [{ url: request.url, body: "x" }, { ...request, method: "POST", body: "x" }],
      [{ url: request.url, method: "PUT", body: [1] }, { ...request, method: "PUT", body: [1] }],
    ]
  ) {
    assert.deepEqual(parseHttpPayload(payload), { request: expected });
  }
});

Deno.test("an http job that is not valid is told every problem at once, and no header's value", () => {
  const parsed = parseHttpPayload({
    url: "ftp://a",
    method: "FETCH",
    headers: { "X-A": "secret\r\nX-B: b", "x-c": "1", "X-C": "2", "Host": "elsewhere", "n": 5 },
    follow: true,
  });
  assert.ok("problems" in parsed);
  assert.deepEqual(parsed.problems.map(({ path }) => path), [
    "/follow",
    "/url",
    "/method",
    "/headers/X-A",
    "/headers/X-C",
    "/headers/Host",
    "/headers/n",
  ]);
  assert.ok(!JSON.stringify(parsed).includes("secret"));
  const refused: [unknown, RegExp][] = [
    ["http://a", /expected an object/],
    [null, /expected an object/],
    [new Uint8Array(3), /expected an object/],
    [{}, /missing/],
    [{ url: "http://a/", headers: [] }, /names and values/],
    [{ url: "http://a/", method: "GET", body: "x" }, /has no body/],
    [{ url: "http://a/", method: "CONNECT" }, /expected one of/],
    [{ url: "http://a/", headers: { a: "x".repeat(20_000) } }, /16384 bytes/],
    [
      {
        url: "http://a/",
        headers: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`h${n}`, ""])),
      },
      /64 headers/,
    ],
  ];
  for (const [payload, message] of refused) {
    const parsed = parseHttpPayload(payload);
    assert.ok("problems" in parsed);
    assert.match(parsed.problems.map(({ detail }) => detail).join(), message);
  }
});

Deno.test("an http job sends JSON, names itself and its attempt, and keeps the answer", async () => {
  await using server = new Receiver(() =>
    new Response("päid", { status: 201, headers: { "x-a": "1", "set-cookie": "session=secret" } })
  );
  const { end } = await run({ url: server.url("/pay?x=1"), body: { amount: 5 } }, {
    job: { attempts: 2 },
  });
  const [request] = server.received;
  assert.equal(request!.method, "POST");
  assert.equal(request!.path, "/pay?x=1");
  assert.equal(request!.body, '{"amount":5}');
  assert.equal(request!.headers.get("content-type"), "application/json");
  assert.equal(request!.headers.get("idempotency-key"), "job1");
  assert.equal(request!.headers.get("queuectl-job-id"), "job1");
  assert.equal(request!.headers.get("queuectl-attempt"), "3");
  const { status, headers, body, body_encoding, body_bytes, body_truncated } = resultOf(end);
  assert.deepEqual(
    { status, body, body_encoding, body_bytes, body_truncated },
    { status: 201, body: "päid", body_encoding: "utf-8", body_bytes: 5, body_truncated: false },
  );
  assert.equal(headers["x-a"], "1");
  assert.equal(headers["set-cookie"], "[hidden]");
});

Deno.test("headers that an http job names win over those that are added", async () => {
  await using server = new Receiver();
  const headers = { "Idempotency-Key": "mine", "Content-Type": "application/xml", "X-A": "b" };
  await run({ url: server.url(), headers, body: "<a/>" });
  const { headers: sent, body } = server.received[0]!;
  assert.equal(sent.get("idempotency-key"), "mine");
  assert.equal(sent.get("content-type"), "application/xml");
  assert.equal(sent.get("x-a"), "b");
  assert.equal(body, "<a/>");
});

Deno.test("an http job whose answer is not 2xx fails with the status, and keeps the answer as output", async () => {
  await using server = new Receiver(() =>
    new Response("too many\nof them", { status: 429, headers: { "retry-after": "7" } })
  );
  const { end, printed } = await run({ url: server.url() });
  assert.deepEqual(errorOf(end), {
    code: "status",
    message: "HTTP 429 Too Many Requests: too many of them",
  });
  assert.equal((end as { retryAfterMs?: number }).retryAfterMs, 7_000);
  assert.equal(printed, "too many\nof them");
});

Deno.test("an http job follows no redirect, and says where it would lead, without secrets", async () => {
  await using target = new Receiver();
  await using server = new Receiver(() =>
    new Response(null, { status: 302, headers: { location: target.url("/x?token=secret") } })
  );
  const { message } = errorOf((await run({ url: server.url() })).end);
  assert.match(message, /^HTTP 302 Found: redirects are not followed.*\/x\?…$/);
  assert.ok(!message.includes("secret"));
  assert.deepEqual(target.received, []);
});

Deno.test("an http job may not call this machine unless that is allowed", async () => {
  await using server = new Receiver();
  for (const host of ["127.0.0.1", "localhost", "0.0.0.0", "[::1]"]) {
    const { end } = await run({ url: server.url("/", host) }, {
      settings: { allowsPrivate: false },
    });
    assert.equal(errorOf(end).code, "address", host);
  }
  assert.deepEqual(server.received, []);
});

Deno.test("an http job without a timeout waits no longer than http-timeout for the whole answer", async () => {
  await using server = new RawServer(async (connection) => {
    await says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")(connection);
    await staysSilent(connection);
  });
  const { end } = await run({ url: `http://127.0.0.1:${server.port}/` }, {
    settings: { timeoutMs: 150 },
  });
  assert.deepEqual(errorOf(end), { code: "timeout", message: "no whole answer within 150ms" });
  await eventually(() => server.closed === 1, { what: "the connection was closed" });
});

Deno.test("an http job with a timeout of its own is not ended by http-timeout, but by its signal", async () => {
  await using server = new RawServer(staysSilent);
  const abort = new AbortController();
  const ending = run({ url: `http://127.0.0.1:${server.port}/` }, {
    settings: { timeoutMs: 1 },
    job: { timeoutMs: 60_000 },
    signal: abort.signal,
  });
  await eventually(() => server.heard.length === 1, { what: "the request came" });
  abort.abort(new Error("cancelled"));
  await assert.rejects(() => ending, /^Error: cancelled$/);
  await eventually(() => server.closed === 1, { what: "the connection was closed" });
});

Deno.test("of a large answer the first part is kept, and bytes that are not text as base64", async () => {
  await using server = new Receiver(({ path }) =>
    path === "/text" ? new Response("é".repeat(10_000)) : new Response(new Uint8Array([0xff, 0, 1]))
  );
  const large = resultOf(
    (await run({ url: server.url("/text") }, { settings: { responseLimitBytes: 5 } })).end,
  );
  assert.deepEqual([large.body, large.body_bytes, large.body_truncated], ["éé", 5, true]);
  const binary = resultOf((await run({ url: server.url("/bytes") })).end);
  assert.deepEqual([binary.body, binary.body_encoding], ["/wAB", "base64"]);
});

Deno.test("http-ca-file names authorities that are trusted too", async () => {
  await using server = new Receiver(undefined, { isSecure: true });
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, TEST_AUTHORITY);
  const { end } = await run({ url: server.url() }, { settings: { caFile: file } });
  assert.equal(resultOf(end).body, "thanks");
  const distrusted = await run({ url: server.url() });
  assert.equal(errorOf(distrusted.end).code, "connect");
  await Deno.writeTextFile(file, "nothing");
  await assert.rejects(
    () => run({ url: server.url() }, { settings: { caFile: file } }),
    /expected certificates \(PEM\)/,
  );
  await Deno.remove(file);
});

Deno.test("hideSecretHeaders() leaves out what only the receiver should know", () => {
  const headers = { "Authorization": "Bearer x", "X-Api-Key": "y", "Accept": "*/*" };
  assert.deepEqual(hideSecretHeaders({ url: "http://a/", headers }), {
    url: "http://a/",
    headers: { "Authorization": "[hidden]", "X-Api-Key": "[hidden]", "Accept": "*/*" },
  });
});
