/** What a stranger gets from a server with the settings that it starts with. */
import assert from "node:assert/strict";
import { assertProblem, rawCall } from "../helpers/http.ts";
import { apiOf } from "../helpers/api.ts";
import { Sandbox } from "../helpers/program.ts";

const TOKEN = "a-token-of-many-characters";

Deno.test("without being told otherwise, it listens on loopback only", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "0"]);
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const others = Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."));
  for (const { address: hostname } of others) {
    await assert.rejects(async () => {
      (await Deno.connect({ hostname, port: server.port })).close();
    }, `it answers on ${hostname}`);
  }
});

Deno.test("binding elsewhere without a token is refused with exit code 2, unless --insecure", async () => {
  await using sandbox = await Sandbox.create();
  for (const host of ["0.0.0.0", "::"]) {
    const refused = await sandbox.run(["serve", "--port", "0", "--host", host]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /token/);
    assert.match(refused.stderr, /--insecure/);
  }
  const server = await sandbox.serve(["--host", "0.0.0.0", "--insecure", "--workers", "0"]);
  assert.match((await server.sees("server.insecure"))["message"], /everyone/);
  assert.equal((await apiOf(server).get("/stats")).status, 200);
});

Deno.test("with a token, every call but the health check must carry it; it is never shown", async () => {
  await using sandbox = await Sandbox.create();
  Deno.writeTextFileSync(sandbox.path("token"), `${TOKEN}\n`);
  const flags = ["--host", "0.0.0.0", "--token-file", "token", "--log-level", "debug"];
  const server = await sandbox.serve(["--workers", "0", ...flags]);
  const api = apiOf(server);
  assert.equal((await api.get("/healthz")).status, 200);
  const job = { kind: "count", payload: "hello" };
  for (const path of ["/stats", "/jobs", "/jobs/nobody", "/workers", "/nowhere"]) {
    const answer = await api.get(path);
    assertProblem(answer, 401);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
  }
  assertProblem(await api.post("/jobs", job), 401);
  for (const token of [`${TOKEN}x`, TOKEN.slice(1), ""]) {
    const headers = { authorization: `Bearer ${token}` };
    assertProblem(await api.call("/stats", { headers }), 401);
  }
  const authorization = `Bearer ${TOKEN}`;
  assert.equal((await api.call("/stats", { headers: { authorization } })).status, 200);
  const added = await api.call("/jobs", {
    method: "POST",
    body: JSON.stringify(job),
    headers: { authorization, "content-type": "application/json" },
  });
  assert.equal(added.status, 201);
  await server.stop();
  assert.doesNotMatch(server.stderr + server.stdout, new RegExp(TOKEN));
});

Deno.test("requests that name a foreign host get 421 (DNS rebinding)", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "0", "--allowed-hosts", "queue.example"]);
  const ask = (host: string) =>
    rawCall(server.port, `GET /stats HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  for (const host of ["evil.example", `evil.example:${server.port}`, "192.0.2.7", ""]) {
    assertProblem(await ask(host), 421);
  }
  const own = ["127.0.0.1", `localhost:${server.port}`, "queue.example"];
  for (const host of own) assert.equal((await ask(host)).status, 200, host);
});

Deno.test("changes that a browser sends from another site's page get 403 and change nothing", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "0"]);
  const api = apiOf(server);
  const body = JSON.stringify({ kind: "count", payload: "hello" });
  const post = (headers: string) =>
    rawCall(
      server.port,
      `POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\n` +
        `${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  const foreign = [
    "Origin: https://evil.example",
    "Origin: null",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
  ];
  for (const headers of foreign) assertProblem(await post(headers), 403);
  assert.equal((await api.get("/stats")).body.total, 0);
  assert.equal((await post(`Origin: http://127.0.0.1:${server.port}`)).status, 201);
  assert.equal((await post("Sec-Fetch-Site: same-origin")).status, 201);
});

Deno.test("commands over HTTP get 403 without --allow-commands, however they are dressed", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const api = apiOf(server);
  const command = "touch ran";
  for (const job of [{ command }, { kind: "command", payload: command }, { command: ["true"] }]) {
    assertProblem(await api.post("/jobs", job), 403, /--allow-commands/);
    const count = { kind: "count", payload: "hello" };
    assertProblem(await api.post("/jobs/batch", [count, job]), 403);
  }
  for (const field of ["kind", "command"]) {
    const { status } = await api.upload(command, { [field]: "command" });
    assert.ok(status === 403 || status === 422, `got ${status}`);
  }
  assert.equal((await api.get("/stats")).body.total, 0);
  await sandbox.wait([await sandbox.add("true")]);
  assert.equal(sandbox.has("ran"), false);
});
