/** What the pages must never do: run what jobs carry, act for other sites, show what a token forbids. */
import assert from "node:assert/strict";
import { CALLERS, createToken } from "../../src/queue/tokens.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, type HttpBench, isTokenKnown } from "../helpers/http.ts";
import { addDead, type PageBench, pageBench } from "../helpers/pages.ts";

const EVIL =
  `"><script>alert(1)</script><img src=x onerror=alert(1)>'</textarea></pre>\x1b]8;;x\x07`;

// deno-lint-ignore no-control-regex -- control characters are what this is about
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f]/g;

async function tokenWith(bench: HttpBench, name: string, scopes: string): Promise<string> {
  const signed = { by: CALLERS.loopback, atMs: Date.now() };
  const request = { name, scopes, expiresInMs: null };
  const { secret } = await createToken(bench.store, request, signed);
  const known = () => isTokenKnown(bench, { authorization: `Bearer ${secret}` });
  await eventually(known, { what: "the server knows the token" });
  return secret;
}

/** Signs in; the cookie that the browser sends from then on. */
async function signIn(bench: PageBench, token: string): Promise<string> {
  const answer = await bench.send("/ui/login", { token, next: "/ui/jobs" });
  assert.equal(answer.status, 303, answer.text);
  assert.equal(answer.headers.get("location"), "/ui/jobs");
  const cookie = answer.headers.get("set-cookie")!;
  assert.match(cookie, /^queuectl-\d+=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/);
  return cookie.split(";")[0]!;
}

Deno.test("whatever a job carries is text on every page", async () => {
  await using bench = await pageBench({ settings: { "allow-commands": true } });
  const id = await addDead(bench, {
    command: `echo ${EVIL}`,
    key: EVIL.replaceAll(CONTROL, ""),
  }, {
    message: `exit code 1: ${EVIL}`,
    output: `${EVIL}\n\x1b[31m${EVIL}\x1b[0m\n\x00\x08`,
  });
  await bench.queue.add({ kind: "count", payload: EVIL });
  const paths = [
    "/ui",
    "/ui/jobs",
    `/ui/jobs/${id}`,
    `/ui/jobs/${id}?find=${encodeURIComponent(EVIL)}`,
    `/ui/jobs/${id}/edit`,
    `/ui/new?from=${id}`,
    "/ui/dead",
    `/ui/dead?group=${encodeURIComponent(EVIL)}`,
    `/ui/jobs?q=${encodeURIComponent(EVIL)}`,
    `/ui/jobs?state=${encodeURIComponent(EVIL)}&queue=${encodeURIComponent(EVIL)}`,
    `/ui/${encodeURIComponent(EVIL)}`,
    `/ui/jobs/${encodeURIComponent(EVIL)}`,
    `/ui?did=${encodeURIComponent(EVIL)}&n=${encodeURIComponent(EVIL)}`,
  ];
  for (const path of paths) {
    const { text } = await bench.look(path);
    assert.doesNotMatch(text, /<script>|<img src=x|onerror=alert\(1\)>(?!&)/, path);
    assert.doesNotMatch(text, /style=|\son[a-z]+="/, `${path}: neither style nor code in markup`);
    // Fields in which the text is edited hold it as it is.
    const shown = text.replaceAll(/<textarea.*?<\/textarea>|value="[^"]*"/gs, "");
    assert.doesNotMatch(shown, CONTROL, `${path}: control characters`);
    const scripts = [...text.matchAll(/<script[^>]*>/g)].map(([tag]) => tag);
    for (const tag of scripts) {
      assert.match(tag, /^<script src="\/ui\/assets\/[0-9a-f]{12}\/app\.js"/);
    }
  }
});

Deno.test("pages allow the browser nothing but their own files, and no frame", async () => {
  await using bench = await pageBench();
  for (const path of ["/", "/ui/jobs", "/ui/nowhere", "/ui/login"]) {
    const { headers } = await bench.look(path);
    const policy = headers.get("content-security-policy")!;
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(rule), path);
    }
    assert.doesNotMatch(policy, /unsafe|data:|\*/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
  }
});

Deno.test("a form that another site sends is refused, whatever cors-origins says", async () => {
  const friend = "https://app.example";
  await using bench = await pageBench({ settings: { "cors-origins": [friend] } });
  const id = await bench.addCount();
  for (
    const headers of [
      { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      { origin: friend, "sec-fetch-site": "cross-site" },
      { origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" },
      { origin: "null", "sec-fetch-site": "cross-site" },
    ]
  ) {
    const answer = await bench.send(`/ui/jobs/${id}/cancel`, {}, headers);
    assertProblem(answer, 403);
  }
  assert.equal((await bench.queue.find(id)).state, "pending");
});

Deno.test("where a token is needed every page asks for it, and leads back once it is given", async () => {
  await using bench = await pageBench({ settings: { "require-token": true } });
  const token = await tokenWith(bench, "ann", "admin,submit");
  const asked = await bench.look("/ui/jobs?state=dead");
  assert.equal(asked.status, 401);
  assert.match(asked.text, /name="next" value="\/ui\/jobs\?state=dead"/);
  assert.doesNotMatch(asked.text, /Overview/);
  assert.equal((await bench.send("/ui/jobs/x/cancel")).status, 200, "a form is not acted upon");
  const wrong = await bench.send("/ui/login", { token: "wrong", next: "/ui" });
  assert.equal(wrong.status, 403);
  assert.equal(wrong.headers.get("set-cookie"), null);
  assert.doesNotMatch(wrong.text, /value="wrong"/);

  const cookie = await signIn(bench, token);
  assert.doesNotMatch(cookie, new RegExp(token));
  assert.equal((await bench.look("/ui/jobs", { cookie })).status, 200);
  // What the pages' script asks the API for.
  assert.equal((await bench.call("/stats", { headers: { cookie } })).status, 200);
  const left = await bench.send("/ui/logout", {}, { cookie });
  assert.match(left.headers.get("set-cookie")!, /Max-Age=0/);
  assert.equal((await bench.look("/ui/jobs", { cookie })).status, 401);
  assertProblem(await bench.call("/stats", { headers: { cookie } }), 401);
});

Deno.test("a session ends when its token is revoked", async () => {
  await using bench = await pageBench({ settings: { "require-token": true } });
  const token = await tokenWith(bench, "ann", "read");
  const cookie = await signIn(bench, token);
  const [stored] = await bench.store.tokens();
  await bench.store.revokeToken(stored!.id);
  const isOut = async () => (await bench.look("/ui", { cookie })).status === 401;
  await eventually(isOut, { what: "the session is over" });
});

Deno.test("a cookie counts for no request that another origin sends", async () => {
  await using bench = await pageBench({
    settings: { "require-token": true, "cors-origins": ["http://127.0.0.1:1"] },
  });
  const cookie = await signIn(bench, await tokenWith(bench, "ann", "admin"));
  const foreign = { cookie, origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" };
  const id = await bench.addCount();
  assertProblem(await bench.call(`/jobs/${id}/cancel`, { method: "POST", headers: foreign }), 401);
  assertProblem(await bench.call("/stats", { headers: foreign }), 401);
  assert.equal((await bench.queue.find(id)).state, "pending");
});

Deno.test("a link on another site leads to the page: the browser is made to ask again by itself", async () => {
  await using bench = await pageBench({ settings: { "require-token": true } });
  await tokenWith(bench, "ann", "read");
  const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  const answer = await bench.look("/ui/jobs", headers);
  assert.match(answer.text, /http-equiv="refresh" content="0"/);
  const again = await bench.look("/ui/jobs", { ...headers, "sec-fetch-site": "same-origin" });
  assert.equal(again.status, 401);
});

Deno.test("nobody is led to another site after signing in", async () => {
  await using bench = await pageBench({ settings: { "require-token": true } });
  const token = await tokenWith(bench, "ann", "read");
  for (
    const next of ["//evil.example", "https://evil.example", "/ui\\evil", "/jobs", "/ui//\r\nx"]
  ) {
    const { headers } = await bench.send("/ui/login", { token, next });
    assert.equal(headers.get("location"), "/ui", next);
  }
});

Deno.test("scopes hide what they forbid, and the server refuses it all the same", async () => {
  await using bench = await pageBench({
    settings: { "require-token": true, "allow-commands": true },
  });
  const id = await addDead(bench, { command: "false" });
  const reader = await signIn(bench, await tokenWith(bench, "reader", "read"));
  const page = await bench.look(`/ui/jobs/${id}`, { cookie: reader });
  assert.equal(page.status, 200);
  assert.doesNotMatch(page.text, /Run again<|Delete…|New job/);
  for (const path of ["/ui/audit", "/ui/settings", "/ui/new", `/ui/jobs/${id}/edit`]) {
    assert.equal((await bench.look(path, { cookie: reader })).status, 403, path);
  }
  for (const path of [`/ui/jobs/${id}/requeue`, `/ui/jobs/${id}/delete`, "/ui/bulk", "/ui/dead"]) {
    const fields = { action: "requeue", group: "", id, sure: "1" };
    assert.equal((await bench.send(path, fields, { cookie: reader })).status, 403, path);
  }
  assert.equal((await bench.queue.find(id)).state, "dead");

  const submitter = await signIn(bench, await tokenWith(bench, "submitter", "submit"));
  const only = await bench.look("/ui", { cookie: submitter });
  assert.match(only.text, /<h1>New job<\/h1>/);
  assert.match(only.text, /may not add commands/);
  assert.equal((await bench.look("/ui/jobs", { cookie: submitter })).status, 403);
  const command = { form: "command", command: "id" };
  assert.equal((await bench.send("/ui/new", command, { cookie: submitter })).status, 403);
  const json = { form: "json", kind: "count", payload: '"x"' };
  assert.equal((await bench.send("/ui/new", json, { cookie: submitter })).status, 303);

  const admin = await signIn(bench, await tokenWith(bench, "admin", "admin"));
  const edit = { payload: "id", priority: "0", max_retries: "0", timeout: "" };
  const refused = await bench.send(`/ui/jobs/${id}/edit`, edit, { cookie: admin });
  assert.equal(refused.status, 403, "other work needs the right to add work");
  assert.equal((await bench.send(`/ui/jobs/${id}/requeue`, {}, { cookie: admin })).status, 303);
  const [entry] = await bench.queue.audit({ limit: 1 });
  assert.deepEqual([entry!.by, entry!.action, entry!.target], ["admin", "requeue", id]);
});
