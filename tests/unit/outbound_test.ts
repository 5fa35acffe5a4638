/** Proves how requests are sent: to which address, how they look, and how answers are read. */
import assert from "node:assert/strict";
import { permittedAddresses } from "../../src/lib/outbound/connection.ts";
import { RequestFailedError } from "../../src/lib/outbound/errors.ts";
import {
  findHeaderProblem,
  type OutgoingRequest,
  type SendOptions,
  sendRequest,
} from "../../src/lib/outbound/request.ts";
import { retryAfterMs } from "../../src/lib/outbound/retry_after.ts";
import { findUrlProblem, publicUrl } from "../../src/lib/outbound/url.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawServer, Receiver, says, staysSilent } from "../helpers/receiver.ts";
import { TEST_AUTHORITY } from "../helpers/tls.ts";

interface SendChoices extends Partial<OutgoingRequest>, Partial<Omit<SendOptions, "signal">> {
  readonly signal?: AbortSignal;
}

function send(url: string, choices: SendChoices = {}) {
  const { method = "GET", headers = [], body = null, ...options } = choices;
  return sendRequest({ url: new URL(url), method, headers, body }, {
    signal: new AbortController().signal,
    limitBytes: 1_000,
    allowsPrivate: true,
    caCerts: [],
    ...options,
  });
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a request carries its method, path, headers and body, and the host of its URL", async () => {
  await using server = new Receiver();
  const answer = await send(server.url("/a/b?c=d", "hook.example"), {
    method: "PUT",
    headers: [["X-One", "1"]],
    body: new TextEncoder().encode("hällo"),
    resolve: () => Promise.resolve(["127.0.0.1"]),
  });
  assert.equal(answer.status, 200);
  assert.equal(text(answer.body), "thanks");
  const [request] = server.received;
  assert.equal(request!.method, "PUT");
  assert.equal(request!.path, "/a/b?c=d");
  assert.equal(request!.headers.get("host"), `hook.example:${server.port}`);
  assert.equal(request!.headers.get("x-one"), "1");
  assert.equal(request!.body, "hällo");
});

Deno.test("a large body arrives whole, and an answer that refuses one counts", async () => {
  await using server = new Receiver();
  const body = new TextEncoder().encode("ä".repeat(1_000_000));
  await send(server.url(), { method: "POST", body });
  assert.equal(server.received[0]!.body.length, 1_000_000);
  await using refusing = new RawServer(says("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"));
  const url = `http://127.0.0.1:${refusing.port}/`;
  const small = new TextEncoder().encode("x");
  assert.equal((await send(url, { method: "POST", body: small })).status, 413);
});

Deno.test("addresses that are not public are refused, by number and by name, before a connection", async () => {
  await using server = new RawServer(says("HTTP/1.1 200 OK\r\n\r\n"));
  const { port } = server;
  const cases: [string, string[], RegExp][] = [
    [`http://127.0.0.1:${port}/`, [], /^127\.0\.0\.1 is a loopback address/],
    [`http://2130706433:${port}/`, [], /^127\.0\.0\.1 is a loopback address/],
    [`http://0x7f.1:${port}/`, [], /^127\.0\.0\.1 is a loopback address/],
    [`http://[::1]:${port}/`, [], /^::1 is a loopback address/],
    [`http://[::ffff:127.0.0.1]:${port}/`, [], /^::ffff:7f00:1 is an IPv4-mapped address/],
    [`http://hook.example:${port}/`, ["127.0.0.1"], /^hook\.example has a loopback address/],
    [`http://hook.example.:${port}/`, ["127.0.0.1"], /^hook\.example\. has a loopback address/],
    [`http://hook.example:${port}/`, ["10.1.1.1", "fe80::1%lo"], /has a private address/],
    [`http://169.254.169.254/latest/meta-data`, [], /is a link-local address/],
  ];
  for (const [url, addresses, message] of cases) {
    const resolve = () => Promise.resolve(addresses);
    await assert.rejects(
      () => send(url, { allowsPrivate: false, resolve }),
      (error: RequestFailedError) => error.failure === "address" && message.test(error.message),
      url,
    );
  }
  assert.deepEqual(server.heard, []);
});

Deno.test("a name is resolved once: what it means a moment later is not called", async () => {
  await using server = new Receiver();
  const answers = [["127.0.0.1"], ["127.9.9.9"]];
  const answer = await send(server.url("/", "hook.example"), {
    resolve: () => Promise.resolve(answers.shift()!),
  });
  assert.equal(answer.status, 200);
  assert.equal(answers.length, 1);
});

Deno.test("of a name with several addresses, only those that are public are called", async () => {
  const { signal } = new AbortController();
  const resolve = () => Promise.resolve(["127.0.0.1", "9.9.9.9", "::1", "9.9.9.9", "10.0.0.1"]);
  const options = { allowsPrivate: false, caCerts: [], resolve };
  assert.deepEqual(await permittedAddresses("hook.example", signal, options), ["9.9.9.9"]);
});

Deno.test("the next address of a name is tried when the first does not answer", async () => {
  await using server = new Receiver();
  const answer = await send(server.url("/", "hook.example"), {
    resolve: () => Promise.resolve(["127.9.9.9", "127.0.0.1"]),
  });
  assert.equal(answer.status, 200);
});

Deno.test("over TLS the certificate must be for the name in the URL, though an address is called", async () => {
  await using server = new Receiver(undefined, { isSecure: true });
  const resolve = () => Promise.resolve(["127.0.0.1"]);
  const caCerts = [TEST_AUTHORITY];
  const answer = await send(server.url("/", "hook.example"), { resolve, caCerts });
  assert.equal(text(answer.body), "thanks");
  assert.equal(server.received[0]!.headers.get("host"), `hook.example:${server.port}`);
  for (const [host, trusted] of [["other.example", caCerts], ["hook.example", []]] as const) {
    await assert.rejects(
      () => send(server.url("/", host), { resolve, caCerts: trusted }),
      (error: RequestFailedError) =>
        error.failure === "connect" && /certificate/.test(error.message),
    );
  }
  assert.equal(server.received.length, 1);
});

Deno.test("who cannot be reached and names without an address are failures that say so", async () => {
  await assert.rejects(() => send("http://127.0.0.1:1/"), /cannot connect to 127\.0\.0\.1:1: /);
  const nobody = () => Promise.reject(new Error("ENOTFOUND"));
  await assert.rejects(
    () => send("http://nobody.example/", { resolve: nobody }),
    /there is no address for the host nobody\.example/,
  );
});

Deno.test("bodies are read by length, in chunks, or to the end of the connection", async () => {
  const cases: [string, string][] = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abc"],
    [
      "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
      "abc0123456789",
    ],
    ["HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"],
    ["HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\ncontent-length: 2\n\nok", "ok"],
    ["HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ""],
  ];
  for (const [said, body] of cases) {
    await using server = new RawServer(says(said));
    const answer = await send(`http://127.0.0.1:${server.port}/`);
    assert.equal(text(answer.body), body, said);
    assert.equal(answer.isTruncated, false, said);
  }
});

Deno.test("answers that break off or are not HTTP are failures, not short answers", async () => {
  const cases: [string, RegExp][] = [
    ["", /broke off/],
    ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", /broke off/],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", /broke off/],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", /chunk/],
    ["HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nabc", /length/],
    ["HTTP/1.1 200 OK\r\nbad header\r\n\r\n", /header/],
    ["SSH-2.0-OpenSSH\r\n", /does not speak HTTP/],
    [`HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`, /too long/],
  ];
  for (const [said, message] of cases) {
    await using server = new RawServer(says(said));
    await assert.rejects(
      () => send(`http://127.0.0.1:${server.port}/`),
      (error: RequestFailedError) => error.failure === "connect" && message.test(error.message),
      said.slice(0, 60),
    );
  }
});

Deno.test("of a body without end the first part is kept, and the connection is closed", async () => {
  await using server = new RawServer(async (connection) => {
    await says("HTTP/1.1 200 OK\r\n\r\n")(connection);
    const block = new Uint8Array(64 * 1024).fill(0x61);
    while (true) await connection.write(block);
  });
  const answer = await send(`http://127.0.0.1:${server.port}/`);
  assert.equal(text(answer.body), "a".repeat(1_000));
  assert.equal(answer.isTruncated, true);
  await eventually(() => server.closed === 1, { what: "the connection was closed" });
});

Deno.test("a body of exactly the limit is not truncated", async () => {
  await using server = new RawServer(says(`HTTP/1.1 200 OK\r\n\r\n${"a".repeat(1_000)}`));
  const answer = await send(`http://127.0.0.1:${server.port}/`);
  assert.equal(answer.body.length, 1_000);
  assert.equal(answer.isTruncated, false);
});

Deno.test("an abort closes the connection at once, whatever it waits for", async () => {
  await using silent = new RawServer(staysSilent);
  await using talker = new RawServer(async (connection) => {
    await says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")(connection);
    await staysSilent(connection);
  });
  for (const [scheme, server] of [["http", silent], ["https", silent], ["http", talker]] as const) {
    const abort = new AbortController();
    const before = server.heard.length;
    const sending = send(`${scheme}://127.0.0.1:${server.port}/`, { signal: abort.signal });
    await Promise.all([
      eventually(() => server.heard.length > before, { what: "a request came" }).then(() =>
        abort.abort(new Error("enough"))
      ),
      assert.rejects(() => sending, /^Error: enough$/),
    ]);
  }
  const abort = new AbortController();
  const resolve = () => new Promise<string[]>(() => abort.abort(new Error("enough")));
  await assert.rejects(
    () => send("http://slow.example/", { resolve, signal: abort.signal }),
    /enough/,
  );
});

Deno.test("headers that would frame the request anew or begin another one are refused", () => {
  const refused: [string, unknown][] = [
    ["X-A", "a\r\nX-B: b"],
    ["X-A", "a\nb"],
    ["X-A", "a\0"],
    ["X-A", "ä"],
    ["X-A", 5],
    ["X-A: b\r\nX-B", "c"],
    ["", "a"],
    ["Host", "elsewhere"],
    ["content-LENGTH", "5"],
    ["Transfer-Encoding", "chunked"],
    ["Connection", "upgrade"],
    ["Proxy-Authorization", "Basic x"],
  ];
  for (const [name, value] of refused) assert.ok(findHeaderProblem(name, value) !== null, name);
  assert.equal(findHeaderProblem("X-A", "a b\tc"), null);
  assert.equal(findHeaderProblem("Authorization", "Bearer abc"), null);
});

Deno.test("URLs are http or https, without credentials and control characters", () => {
  for (const url of ["http://a/", "https://a.example:8443/x?y#z", "http://[2606:4700::1]/"]) {
    assert.equal(findUrlProblem(url), null, url);
  }
  const refused = [
    5,
    "",
    "/path",
    "ftp://a/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "http://user:pass@a/",
    "http://user@a/",
    "http://a/\r\nX: y",
    "http://a/ b",
    "http://a:99999/",
    `http://a/${"x".repeat(9_000)}`,
  ];
  for (const url of refused) assert.ok(findUrlProblem(url) !== null, String(url).slice(0, 40));
  assert.equal(publicUrl("https://a.example/x?key=secret#f"), "https://a.example/x?…");
});

Deno.test("retryAfterMs() reads seconds and dates, and waits no longer than a day", () => {
  const nowMs = Date.parse("2030-01-01T00:00:00Z");
  const date = "Tue, 01 Jan 2030 00:02:00 GMT";
  assert.equal(retryAfterMs("30", null, nowMs), 30_000);
  assert.equal(retryAfterMs(date, null, nowMs), 120_000);
  // The server's clock is an hour ahead of ours; it means two minutes all the same.
  assert.equal(
    retryAfterMs("Tue, 01 Jan 2030 01:02:00 GMT", "Tue, 01 Jan 2030 01:00:00 GMT", nowMs),
    120_000,
  );
  assert.equal(retryAfterMs("Mon, 31 Dec 2029 00:00:00 GMT", null, nowMs), 0);
  assert.equal(retryAfterMs("999999999", null, nowMs), 86_400_000);
  assert.equal(retryAfterMs("Tue, 01 Jan 2099 00:00:00 GMT", null, nowMs), 86_400_000);
  for (const value of [null, "", "soon", "-5", "1.5", "tomorrow"]) {
    assert.equal(retryAfterMs(value, null, nowMs), null, String(value));
  }
});
