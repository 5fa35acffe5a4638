/** Who changed what, as GET /audit tells it. */
import assert from "node:assert/strict";
import { createToken } from "../../src/queue/tokens.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, httpBench, isTokenKnown } from "../helpers/http.ts";

const POST = { method: "POST" };

Deno.test("changes over HTTP stand in the audit log with who made them and what came of them", async () => {
  await using bench = await httpBench();
  const request = { name: "ops", scopes: "admin", expiresInMs: null };
  const { token, secret } = await createToken(bench.store, request, { by: "cli:ann", atMs: 1 });
  const headers = { authorization: `Bearer ${secret}` };
  await eventually(() => isTokenKnown(bench, headers), { what: "the token counted" });
  const id = await bench.addCount();
  await bench.call(`/jobs/${id}/cancel`, POST);
  await bench.call(`/jobs/${id}/requeue`, { ...POST, headers });
  await bench.call(`/jobs/${id}/requeue`, { ...POST, headers });
  await bench.call(`/jobs/${id}`, { method: "DELETE", headers });
  await bench.call(`/jobs/${id}`, { method: "DELETE", headers });
  const { entries } = (await bench.call("/audit", { headers })).body;
  for (const { at } of entries) assert.match(at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  // deno-lint-ignore no-explicit-any -- as JSON has it
  const told = entries.map(({ seq: _seq, at: _at, ...rest }: any) => rest).reverse();
  const refused = { outcome: "refused", detail: "the job is pending" };
  const done = { outcome: "done", detail: null };
  assert.deepEqual(told, [
    { by: "cli:ann", action: "token.create", target: `${token.id} ops`, ...done, detail: "admin" },
    { by: "loopback", action: "cancel", target: id, ...done },
    { by: "ops", action: "requeue", target: id, ...done },
    { by: "ops", action: "requeue", target: id, ...refused },
    { by: "ops", action: "delete", target: id, ...done },
  ]);
});

Deno.test("GET /audit pages with limit and before, and refuses others", async () => {
  await using bench = await httpBench();
  const signed = { by: "ann", atMs: Date.now() };
  for (const value of ["1", "2", "3"]) await bench.store.configSet("max-retries", value, signed);
  const page = (await bench.call("/audit?limit=2")).body.entries;
  assert.deepEqual(page.map(({ detail }: { detail: string }) => detail), ["3", "2"]);
  const next = (await bench.call(`/audit?before=${page[1].seq}`)).body.entries;
  assert.deepEqual(next.map(({ detail }: { detail: string }) => detail), ["1"]);
  for (const query of ["limit=0", "limit=1001", "before=x", "who=ann"]) {
    assertProblem(await bench.call(`/audit?${query}`), 422);
  }
});
