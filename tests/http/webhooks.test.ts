/** Jobs of the kind http, and webhooks, over the API. */
import assert from "node:assert/strict";
import { createToken } from "../../src/queue/tokens.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, type HttpBench, httpBench, isTokenKnown } from "../helpers/http.ts";

function post(bench: HttpBench, job: unknown) {
  const headers = { "content-type": "application/json" };
  return bench.call("/jobs", { method: "POST", headers, body: JSON.stringify(job) });
}

Deno.test("an http job is taken over the API, and its secrets are shown to nobody", async () => {
  await using bench = await httpBench();
  const headers = { "Authorization": "Bearer hush", "X-Api-Key": "hush", "Accept": "text/plain" };
  const payload = { url: "https://api.example/pay?key=hush", headers, body: { amount: 5 } };
  const { status, body } = await post(bench, { kind: "http", payload });
  assert.equal(status, 201);
  const job = await bench.call(`/jobs/${body.job_id}`);
  assert.deepEqual(job.body.payload.headers, {
    "Authorization": "[hidden]",
    "X-Api-Key": "[hidden]",
    "Accept": "text/plain",
  });
  assert.equal(job.body.payload.method, "POST");
  assert.ok(!(await bench.call("/jobs")).text.includes("hush"));
});

Deno.test("an http job that is not valid is 422 with a pointer to each problem", async () => {
  await using bench = await httpBench();
  const headers = { "X-A": "hush\r\nX-B: c", "Host": "elsewhere" };
  const answer = await post(bench, {
    kind: "http",
    priority: "x",
    callback_url: "ftp://a",
    payload: { url: "http://user:hush@a/", method: "TRACE", headers, redirect: true },
  });
  assertProblem(answer, 422);
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort();
  assert.deepEqual(pointers, [
    "/callback_url",
    "/payload/headers/Host",
    "/payload/headers/X-A",
    "/payload/method",
    "/payload/redirect",
    "/payload/url",
    "/priority",
  ]);
  assert.ok(!answer.text.includes("hush"));
});

Deno.test("webhooks are read with read, and sent again with admin", async () => {
  await using bench = await httpBench({ settings: { "require-token": true } });
  const tokens: Record<string, HeadersInit> = {};
  for (const scopes of ["read", "submit", "admin"]) {
    const request = { name: scopes, scopes, expiresInMs: null };
    const { secret } = await createToken(bench.store, request, { by: "cli:ann", atMs: 1 });
    tokens[scopes] = { authorization: `Bearer ${secret}` };
    const headers = { authorization: `Bearer ${secret}` };
    await eventually(() => isTokenKnown(bench, headers), { what: "the token counted" });
  }
  const path = `/webhooks/msg_${"0".repeat(32)}`;
  const asked = async (scope: string, target: string, method = "GET") =>
    (await bench.call(target, { method, headers: tokens[scope]! })).status;
  assert.equal(await asked("submit", "/webhooks"), 403);
  assert.equal(await asked("read", "/webhooks"), 200);
  assert.equal(await asked("read", path), 404);
  assert.equal(await asked("read", `${path}/replay`, "POST"), 403);
  assert.equal(await asked("admin", `${path}/replay`, "POST"), 404);
});
