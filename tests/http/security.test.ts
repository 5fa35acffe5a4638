/** The security defaults: token, host, origin, commands, headers. */
import assert from "node:assert/strict";
import { ForbiddenError } from "../../src/job/errors.ts";
import { HostGuard } from "../../src/http/host.ts";
import { ROUTES } from "../../src/http/routes.ts";
import { assertProblem, type HttpBench, httpBench, rawCall } from "../helpers/http.ts";

const POST = { method: "POST" };
const TOKEN = "correct-horse-battery-staple";

/** Every route with a path that can be called. */
const CALLS = ROUTES.map(({ method, path, scope }) => ({
  method,
  path: path.replaceAll(/\{\w+\}/g, "some-id"),
  scope,
}));

Deno.test("with a token, every route but healthz and readyz is 401 without it, or with another", async () => {
  await using bench = await httpBench({ token: TOKEN });
  for (const { method, path, scope } of [...CALLS, { method: "GET", path: "/nope", scope: "" }]) {
    const credentials = [
      undefined,
      "Bearer wrong",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
      "Bearer ",
    ];
    for (const authorization of credentials) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await bench.call(path, { method, headers });
      if (scope === "open") {
        assert.equal(answer.status, 200, path);
        continue;
      }
      assertProblem(answer, 401);
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
      assert.doesNotMatch(answer.text, new RegExp(TOKEN));
    }
  }
});

Deno.test("with the token, requests are answered; the scheme's case does not matter", async () => {
  await using bench = await httpBench({ token: TOKEN });
  for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`]) {
    assert.equal((await bench.call("/jobs", { headers: { authorization } })).status, 200);
    const job = { kind: "count", payload: "x" };
    assert.equal((await bench.post("/jobs", job, { authorization })).status, 201);
  }
});

Deno.test("every route but healthz and readyz names the scope that it needs", () => {
  const open = ROUTES.filter(({ scope }) => scope === "open").map(({ path }) => path);
  assert.deepEqual(open, ["/healthz", "/readyz"]);
});

/** The status of GET /healthz with this Host header, or none. */
async function statusWithHost(bench: HttpBench, host: string | null): Promise<number> {
  const line = host === null ? "" : `Host: ${host}\r\n`;
  const answer = await rawCall(bench.server.port, `GET /healthz HTTP/1.1\r\n${line}\r\n`);
  if (answer.status !== 200) assertProblem(answer, 421);
  return answer.status;
}

Deno.test("a request for loopback, by name or address, with any port, is answered", async () => {
  await using bench = await httpBench();
  const { port } = bench.server;
  const hosts = ["127.0.0.1", `127.0.0.1:${port}`, "localhost", `localhost:${port}`, "LOCALHOST:1"];
  for (const host of [...hosts, "[::1]", "[::1]:80", "127.0.0.2", "localhost."]) {
    assert.equal(await statusWithHost(bench, host), 200, host);
  }
});

Deno.test("a request for a foreign host, or for none, is 421 on every path", async () => {
  await using bench = await httpBench();
  const hosts = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "192.168.7.7",
    "0.0.0.0",
    "[::2]",
    "a b",
    "user@localhost",
    "localhost/x",
    "",
  ];
  for (const host of [...hosts, null]) {
    assert.equal(await statusWithHost(bench, host), 421, String(host));
  }
});

Deno.test("a request target in absolute form that names another host is 421", async () => {
  await using bench = await httpBench();
  const { port } = bench.server;
  const target = (host: string) =>
    rawCall(port, `GET http://${host}/healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  assertProblem(await target("evil.example"), 421);
  assert.equal((await target(`127.0.0.1:${port}`)).status, 200);
});

Deno.test("names of the setting allowed-hosts are answered, their subdomains are not", async () => {
  await using bench = await httpBench({ settings: { "allowed-hosts": ["Queue.example"] } });
  assert.equal(await statusWithHost(bench, "queue.example:8000"), 200);
  assert.equal(await statusWithHost(bench, "QUEUE.EXAMPLE"), 200);
  assert.equal(await statusWithHost(bench, "x.queue.example"), 421);
});

Deno.test("bound to every address, the machine's own addresses are answered, others are not", () => {
  const guard = new HostGuard("0.0.0.0", [], () => ["127.0.0.1", "10.1.2.3", "fe80::1"]);
  const allows = (host: string) => guard.allows(host, `http://${host}/jobs`);
  assert.ok(allows("10.1.2.3:8000"));
  assert.ok(allows("[fe80:0:0:0:0:0:0:1]:8000"));
  assert.ok(allows("localhost"));
  assert.ok(!allows("10.1.2.4:8000"));
  assert.ok(!allows("evil.example"));
});

Deno.test("bound to one address, that address is answered, the machine's others are not", () => {
  const guard = new HostGuard("10.1.2.3", [], () => ["10.1.2.3", "10.9.9.9"]);
  assert.ok(guard.allows("10.1.2.3:8000", "http://10.1.2.3:8000/"));
  assert.ok(!guard.allows("10.9.9.9:8000", "http://10.9.9.9:8000/"));
});

const FOREIGN: Record<string, string>[] = [
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "rubbish" },
  { origin: "https://evil.example" },
  { origin: "null" },
  { origin: "http://127.0.0.1:1" },
  { "sec-fetch-site": "cross-site", origin: "http://HOST" },
];
const OWN: Record<string, string>[] = [
  {},
  { "sec-fetch-site": "same-origin" },
  { "sec-fetch-site": "none" },
  { origin: "http://HOST" },
  { origin: "https://HOST" },
];

Deno.test("a change that a browser sends from another origin is 403; reads are answered", async () => {
  await using bench = await httpBench();
  const host = `127.0.0.1:${bench.server.port}`;
  const changes = CALLS.filter(({ method }) => method !== "GET");
  assert.ok(changes.length >= 5);
  for (const { method, path } of changes) {
    const send = (headers: Record<string, string>) => {
      const lines = Object.entries({ host, ...headers, "content-length": "0" }).map(
        ([name, value]) => `${name}: ${value.replace("HOST", host)}\r\n`,
      ).join("");
      return rawCall(bench.server.port, `${method} ${path} HTTP/1.1\r\n${lines}\r\n`);
    };
    for (const headers of FOREIGN) assertProblem(await send(headers), 403, /origin/);
    for (const headers of OWN) {
      const { status } = await send(headers);
      // A queue needs no job to be paused; what else is named here does not exist.
      const expected = path.startsWith("/queues/") ? [200, 404, 415] : [404, 415];
      assert.ok(expected.includes(status), `${method} ${path}: ${status}`);
    }
  }
  for (const headers of FOREIGN) {
    assert.equal((await bench.call("/stats", { headers })).status, 200);
  }
});

Deno.test("no answer lets another origin read it", async () => {
  await using bench = await httpBench();
  const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
  for (const method of ["GET", "OPTIONS"]) {
    const answer = await bench.call("/jobs", { method, headers });
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
  }
});

const COMMANDS: unknown[] = [
  { command: "touch /tmp/x" },
  { command: ["touch", "/tmp/x"] },
  { kind: "command", payload: "touch /tmp/x" },
  { kind: "command" },
  { command: null },
  { kind: "count", payload: "x", cwd: "/" },
  { kind: "count", command: "x" },
];

for (const job of COMMANDS) {
  Deno.test(`${JSON.stringify(job)} over HTTP is 403 unless allowed, and stores nothing`, async () => {
    await using bench = await httpBench();
    assertProblem(await bench.post("/jobs", job), 403, /--allow-commands/);
    const batch = [{ kind: "count", payload: "x" }, job];
    assertProblem(await bench.post("/jobs/batch", batch), 403, /--allow-commands/);
    const body = batch.map((one) => JSON.stringify(one)).join("\n");
    const headers = { "content-type": "application/x-ndjson" };
    assertProblem(await bench.call("/jobs/batch", { ...POST, body, headers }), 403);
    assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
  });
}

Deno.test("every answer carries the security headers, errors too", async () => {
  await using bench = await httpBench();
  const { port } = bench.server;
  const id = await bench.addCount();
  const answers = [
    await bench.call("/healthz"),
    await bench.call(`/jobs/${id}`),
    await bench.call(`/jobs/${id}/output`),
    await bench.call(`/jobs/${id}/result`),
    await bench.upload({ file: "x" }),
    await bench.post("/jobs/batch", [{ kind: "count", payload: "x" }]),
    await bench.call("/nope"),
    await bench.call("/jobs", { method: "PUT" }),
    await bench.call("/jobs", POST),
    await rawCall(port, "GET /jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
  ];
  for (const { status, headers } of answers) {
    assert.equal(headers.get("x-content-type-options"), "nosniff", `at ${status}`);
    const policy = headers.get("content-security-policy");
    assert.equal(policy, "default-src 'none'; frame-ancestors 'none'");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-store");
  }
});

for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
  Deno.test(`listening on ${host} is refused without a token`, async () => {
    await assert.rejects(httpBench({ settings: { host } }), (error) => {
      assert.ok(error instanceof ForbiddenError);
      assert.match(error.message, /--token-file.*--insecure/);
      return true;
    });
  });
}
