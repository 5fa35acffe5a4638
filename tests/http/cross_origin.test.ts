/** Which other sites' pages may use the API from a browser: none, unless they are named. */
import assert from "node:assert/strict";
import { assertProblem, httpBench } from "../helpers/http.ts";

const FRIEND = "https://app.example";
const SETTINGS = { settings: { "cors-origins": [FRIEND] } };
const COUNT = { kind: "count", payload: "x" };
const allowed = (headers: Headers) => headers.get("access-control-allow-origin");

const QUESTION = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type",
};

Deno.test("without cors-origins no origin is told that it may, neither before nor with a request", async () => {
  await using bench = await httpBench();
  const headers = { ...QUESTION, origin: FRIEND };
  const question = await bench.call("/jobs", { method: "OPTIONS", headers });
  assertProblem(question, 405);
  assert.equal(allowed(question.headers), null);
  assert.equal(allowed((await bench.call("/stats", { headers })).headers), null);
  const foreign = { origin: FRIEND, "sec-fetch-site": "cross-site" };
  assertProblem(await bench.post("/jobs", COUNT, foreign), 403);
});

Deno.test("an origin of cors-origins may ask, read and change", async () => {
  await using bench = await httpBench(SETTINGS);
  const headers = { ...QUESTION, origin: FRIEND };
  const question = await bench.call("/jobs", { method: "OPTIONS", headers });
  assert.equal(question.status, 204);
  assert.equal(allowed(question.headers), FRIEND);
  assert.match(question.headers.get("access-control-allow-methods") ?? "", /POST/);
  assert.match(question.headers.get("access-control-allow-headers") ?? "", /authorization/);
  const foreign = { origin: FRIEND, "sec-fetch-site": "cross-site" };
  const added = await bench.post("/jobs", COUNT, foreign);
  assert.equal(added.status, 201);
  assert.equal(allowed(added.headers), FRIEND);
  assert.match(added.headers.get("vary") ?? "", /origin/i);
  const missing = await bench.call("/jobs/nobody", { headers: { origin: FRIEND } });
  assertProblem(missing, 404);
  assert.equal(allowed(missing.headers), FRIEND);
});

Deno.test("other origins stay out, and cookies are never asked for", async () => {
  await using bench = await httpBench(SETTINGS);
  for (const origin of ["https://evil.example", "http://app.example", "null", `${FRIEND}.evil`]) {
    const headers = { ...QUESTION, origin };
    const question = await bench.call("/jobs", { method: "OPTIONS", headers });
    assertProblem(question, 405);
    assert.equal(allowed(question.headers), null, origin);
    assertProblem(await bench.post("/jobs", COUNT, { origin }), 403);
  }
  const answer = await bench.call("/stats", { headers: { origin: FRIEND } });
  assert.equal(answer.headers.get("access-control-allow-credentials"), null);
});
