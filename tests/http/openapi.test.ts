/** `/openapi.json`: valid, complete, and true. That it is true every other test here checks too. */
import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { OPERATIONS } from "../../src/http/openapi/operations.ts";
import { ROUTES } from "../../src/http/routes.ts";
import { assertDescribed } from "../helpers/described.ts";
import { httpBench } from "../helpers/http.ts";
import { pageBench } from "../helpers/pages.ts";

// deno-lint-ignore no-explicit-any -- the document has many shapes
type Json = any;

Deno.test("the document is valid OpenAPI 3.1, and its references lead somewhere", async () => {
  await using bench = await httpBench();
  const { status, headers, body, text } = await bench.call("/openapi.json");
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "application/json");
  const validator = new Validator();
  const { valid, errors } = await validator.validate(body);
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  assert.equal(body.info.version, "9.9.9");
  const references = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) =>
    name!
  );
  assert.ok(references.length > 50);
  const used = new Set(references);
  for (const name of used) assert.ok(body.components.schemas[name], name);
  assert.deepEqual(Object.keys(body.components.schemas).filter((name) => !used.has(name)), []);
});

Deno.test("every route is described, and nothing else", async () => {
  const routes = ROUTES.map(({ method, path }) => `${method} ${path}`).sort();
  assert.deepEqual(Object.keys(OPERATIONS).sort(), routes);
  await using bench = await httpBench();
  const { body } = await bench.call("/openapi.json");
  const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { operationId: string }>)
      .map(([method, { operationId }]) => ({
        name: `${method.toUpperCase()} ${path}`,
        operationId,
      }))
  );
  assert.deepEqual(operations.map(({ name }) => name).sort(), routes);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, routes.length);
});

Deno.test("it says which scope a route needs, and that open ones need none", async () => {
  await using bench = await httpBench();
  const { paths } = (await bench.call("/openapi.json")).body;
  assert.deepEqual(paths["/jobs/{id}/cancel"].post.security, [{ token: ["admin"] }, {}]);
  assert.deepEqual(paths["/healthz"].get.security, []);
});

Deno.test("it asks for a token where tokens are on, and tells nothing of this server", async () => {
  const token = "a-token-of-the-tests";
  await using bench = await httpBench({ token, settings: { db: "/secret/queue.db" } });
  assert.equal((await bench.call("/openapi.json")).status, 401);
  const headers = { authorization: `Bearer ${token}` };
  const { status, text } = await bench.call("/openapi.json", { headers });
  assert.equal(status, 200);
  assert.doesNotMatch(text, /secret\/queue|a-token-of/);
});

Deno.test("/docs shows every operation and every shape, to those who may read", async () => {
  const token = "a-token-of-the-tests";
  await using bench = await pageBench({ token });
  assert.match((await bench.look("/docs")).text, /Sign in/);
  const bearer = { authorization: `Bearer ${token}` };
  const { status, text, headers } = await bench.look("/docs", bearer);
  assert.equal(status, 200);
  assert.match(headers.get("content-security-policy")!, /default-src 'none'/);
  const { body } = await bench.call("/openapi.json", { headers: bearer });
  for (const [path, methods] of Object.entries(body.paths)) {
    for (const [method, { operationId }] of Object.entries(methods as Record<string, Json>)) {
      assert.ok(text.includes(`id="${operationId}"`), operationId);
      assert.ok(text.includes(`<strong>${method.toUpperCase()}</strong> ${path}`), path);
    }
  }
  for (const name of Object.keys(body.components.schemas)) {
    assert.ok(text.includes(`id="schema-${name}"`), name);
  }
  const anchors = [...text.matchAll(/href="#(schema-\w+)"/g)].map(([, anchor]) => anchor!);
  for (const anchor of new Set(anchors)) assert.ok(text.includes(`id="${anchor}"`), anchor);
});

Deno.test("an answer that is not as described is noticed", () => {
  const answer = (status: number, body: unknown, type = "application/json") => ({
    status,
    headers: new Headers({ "content-type": type }),
    text: JSON.stringify(body),
    body,
  });
  const get = { method: "GET", path: "/healthz" };
  const health = { status: "ok", version: "1", uptime_s: 1.5, draining: false };
  assertDescribed(get, answer(200, health));
  assert.throws(() => assertDescribed(get, answer(200, { ...health, more: 1 })), /additional/);
  assert.throws(() => assertDescribed(get, answer(200, { ...health, version: null })), /string/);
  assert.throws(() => assertDescribed(get, answer(200, {})), /required/);
  assert.throws(() => assertDescribed(get, answer(200, health, "text/plain")), /not with text/);
  assert.throws(
    () => assertDescribed(get, answer(418, {}, "application/problem+json")),
    /required/,
  );
  const contentType = "application/json";
  const post = { method: "POST", path: "/jobs", body: '{"command":1}', contentType };
  assert.throws(
    () => assertDescribed(post, answer(201, { job_id: "a", status: "pending" })),
    /the body of POST \/jobs/,
  );
});
