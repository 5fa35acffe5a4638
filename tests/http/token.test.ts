/** Tokens of the database: what each scope may do, who needs one, when one stops to count. */
import assert from "node:assert/strict";
import type { Scope } from "../../src/job/scope.ts";
import { allows, SCOPES } from "../../src/job/scope.ts";
import { ROUTES } from "../../src/http/routes.ts";
import { createToken, revokeToken } from "../../src/queue/tokens.ts";
import type { JobStore } from "../../src/store/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, httpBench, type HttpBenchOptions, isTokenKnown } from "../helpers/http.ts";

/** How long a change to the tokens may take to count: a second, and more on a busy machine. */
const NOTICED_MS = 10_000;

/** A server with a token for each of these names, which are lists of scopes. */
async function tokenBench<N extends string>(
  names: Record<N, string>,
  options: HttpBenchOptions = {},
) {
  let store: JobStore | undefined;
  const bench = await httpBench({ ...options, wrapStore: (inner) => store = inner });
  const made = {} as Record<N, { id: string; bearer: { authorization: string } }>;
  for (const [name, scopes] of Object.entries(names) as [N, string][]) {
    const signed = { by: "test", atMs: Date.now() };
    const { token, secret } = await createToken(
      store!,
      { name, scopes, expiresInMs: null },
      signed,
    );
    made[name] = { id: token.id, bearer: { authorization: `Bearer ${secret}` } };
  }
  const last = Object.values<(typeof made)[N]>(made).at(-1);
  if (last !== undefined) {
    await eventually(async () => await isTokenKnown(bench, last.bearer), {
      what: "the token counted",
    });
  }
  return Object.assign(bench, { made });
}

const REQUIRED = { settings: { "require-token": true } };

Deno.test("every route answers to a token with its scope, and to the others 403 naming that scope", async () => {
  const names = Object.fromEntries(SCOPES.map((scope) => [scope, scope])) as Record<Scope, string>;
  await using bench = await tokenBench(names, REQUIRED);
  const seen = { allowed: 0, refused: 0 };
  for (const { method, path, scope } of ROUTES) {
    if (scope === "open") continue;
    for (const held of SCOPES) {
      const { bearer } = bench.made[held];
      // A stream of events would never end; what is wrong with its query is told after the scope.
      const query = path === "/events" ? "?job=%20" : "";
      const url = path.replace("{id}", "nobody") + query;
      const answer = await bench.call(url, { method, headers: bearer });
      if (allows([held], scope)) {
        seen.allowed++;
        assert.ok(![401, 403].includes(answer.status), `${held}: ${method} ${path}`);
      } else {
        seen.refused++;
        assertProblem(answer, 403, new RegExp(`scope ${scope}.*"${held}"`));
      }
    }
  }
  assert.ok(seen.allowed > 10 && seen.refused > 10);
});

Deno.test("reading needs read, adding submit, changing jobs and the audit log admin", () => {
  const needed = ({ method, path }: typeof ROUTES[number]) => {
    if (path === "/healthz" || path === "/readyz") return "open";
    if (path === "/audit") return "admin";
    if (method === "GET") return "read";
    return path === "/jobs" || path === "/jobs/batch" ? "submit" : "admin";
  };
  for (const route of ROUTES) assert.equal(route.scope, needed(route), route.path);
});

Deno.test("admin includes read, and nothing includes submit or command", () => {
  assert.deepEqual(SCOPES.filter((held) => allows([held], "read")), ["read", "admin"]);
  for (const scope of ["submit", "admin", "command"] as const) {
    assert.deepEqual(SCOPES.filter((held) => allows([held], scope)), [scope]);
  }
});

Deno.test("a command needs the scope command besides submit, and --allow-commands", async () => {
  const names = { plain: "submit", commands: "submit,command", alone: "command" };
  const settings = { "require-token": true, "allow-commands": true };
  await using bench = await tokenBench(names, { settings });
  const add = (name: keyof typeof names, job: unknown) =>
    bench.post("/jobs", job, bench.made[name].bearer);
  const command = { command: "true" };
  assertProblem(await add("plain", command), 403, /scope command/);
  assertProblem(await add("alone", command), 403, /scope submit/);
  assert.equal((await add("commands", command)).status, 201);
  assert.equal((await add("plain", { kind: "count", payload: "x" })).status, 201);
  const batch = await bench.post("/jobs/batch", [command], bench.made.plain.bearer);
  assertProblem(batch, 403, /scope command/);
  await using closed = await tokenBench({ commands: "submit,command" }, REQUIRED);
  const refused = await closed.post("/jobs", command, closed.made.commands.bearer);
  assertProblem(refused, 403, /--allow-commands/);
});

Deno.test("loopback stays open without a token although there are tokens, unless require-token is on", async () => {
  await using open = await tokenBench({ ci: "read" });
  assert.equal((await open.call("/stats")).status, 200);
  await using closed = await tokenBench({ ci: "read" }, REQUIRED);
  assertProblem(await closed.call("/stats"), 401);
  assert.equal((await closed.call("/stats", { headers: closed.made.ci.bearer })).status, 200);
});

Deno.test("a token that is given counts on an open loopback too: its scopes bind, a wrong one is 401", async () => {
  await using bench = await tokenBench({ ci: "read" });
  const headers = bench.made.ci.bearer;
  assertProblem(await bench.post("/jobs", { kind: "count", payload: "x" }, headers), 403);
  for (const authorization of ["Bearer qctl_wrong", `${headers.authorization}x`, "Basic abc"]) {
    assertProblem(await bench.call("/stats", { headers: { authorization } }), 401);
  }
});

Deno.test("another address than loopback needs a token, and one in the database is enough", async () => {
  await using first = await tokenBench({ ci: "read" });
  const settings = { host: "0.0.0.0" };
  await assert.rejects(httpBench({ settings }), { code: "forbidden" });
  const wrapStore = () => first.store;
  await using bench = await httpBench({ settings, wrapStore });
  assertProblem(await bench.call("/stats"), 401);
  assert.equal((await bench.call("/stats", { headers: first.made.ci.bearer })).status, 200);
  assert.equal((await bench.call("/healthz")).status, 200);
});

Deno.test("the token of the token file may do everything, beside tokens of the database", async () => {
  const token = "correct-horse-battery-staple";
  const settings = { "allow-commands": true };
  await using bench = await tokenBench({ ci: "read" }, { token, settings });
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await bench.post("/jobs", { command: "true", id: "a" }, headers)).status, 201);
  assert.equal((await bench.call("/jobs/a/cancel", { method: "POST", headers })).status, 200);
  assert.equal((await bench.call("/audit", { headers })).body.entries[0].by, "token-file");
  assert.equal((await bench.call("/stats", { headers: bench.made.ci.bearer })).status, 200);
  assertProblem(await bench.call("/stats"), 401);
});

Deno.test("a revoked token is 401 within a second, and a new one counts within a second", async () => {
  await using bench = await tokenBench({ ci: "read", other: "read" }, REQUIRED);
  const { id, bearer } = bench.made.ci;
  assert.ok(await isTokenKnown(bench, bearer));
  await revokeToken(bench.store, id, { by: "test", atMs: Date.now() });
  const refused = async () => (await bench.call("/stats", { headers: bearer })).status === 401;
  await eventually(refused, { what: "the revoked token was refused", timeoutMs: NOTICED_MS });
  assert.ok(await isTokenKnown(bench, bench.made.other.bearer));
});

Deno.test("a token that has expired is 401", async () => {
  await using bench = await tokenBench({}, REQUIRED);
  const request = { name: "brief", scopes: "read", expiresInMs: 5_000 };
  const { secret } = await createToken(bench.store, request, { by: "test", atMs: Date.now() });
  const headers = { authorization: `Bearer ${secret}` };
  await eventually(() => isTokenKnown(bench, headers), { what: "the token counted" });
  const refused = async () => (await bench.call("/stats", { headers })).status === 401;
  await eventually(refused, { what: "the expired token was refused" });
});

Deno.test("the last use of a token is noted, of one that was not used it is not", async () => {
  await using bench = await tokenBench({ idle: "read", busy: "read" }, REQUIRED);
  assert.ok(await isTokenKnown(bench, bench.made.busy.bearer));
  const lastUse = async (name: string) =>
    (await bench.store.tokens()).find((token) => token.name === name)?.lastUsedAtMs;
  await eventually(() => lastUse("busy"), { what: "the use was noted" });
  assert.equal(await lastUse("idle"), null);
});

Deno.test("what is stored of a token is the hash of its secret, never the secret", async () => {
  await using bench = await tokenBench({ ci: "read" });
  const secret = bench.made.ci.bearer.authorization.slice("Bearer ".length);
  assert.match(secret, /^qctl_[A-Za-z0-9_-]{43}$/);
  const [token] = await bench.store.tokens();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  assert.deepEqual(new Uint8Array(token!.hash), new Uint8Array(digest));
  assert.doesNotMatch(JSON.stringify(token), new RegExp(secret.slice("qctl_".length)));
});

for (const parameter of ["token", "access_token", "Token"]) {
  Deno.test(`a token in the URL (?${parameter}=) is not looked at, and refused with the reason`, async () => {
    await using bench = await tokenBench({ ci: "read" }, REQUIRED);
    const { bearer } = bench.made.ci;
    const secret = bearer.authorization.slice("Bearer ".length);
    const path = `/stats?${parameter}=${secret}`;
    const answer = await bench.call(path);
    assertProblem(answer, 401, /URL.*Authorization: Bearer/);
    assert.doesNotMatch(answer.text, new RegExp(secret));
    assertProblem(await bench.call(path, { headers: bearer }), 400, /URL.*Authorization: Bearer/);
    await using open = await httpBench();
    assertProblem(await open.call(path), 400, /URL/);
  });
}
