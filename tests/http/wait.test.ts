/** Waiting for a job without polling: `?wait=SECONDS`. */
import assert from "node:assert/strict";
import { openStore } from "../../src/store/open.ts";
import { assertProblem, httpBench } from "../helpers/http.ts";

for (const path of ["", "/status", "/result"]) {
  Deno.test(`GET /jobs/{id}${path}?wait answers as soon as the job is finished`, async () => {
    await using bench = await httpBench();
    const id = await bench.addCount("abc");
    const waiting = bench.call(`/jobs/${id}${path}?wait=60`);
    await bench.settle({ event: "complete", result: '{"characters":3}' });
    const { status, body } = await waiting;
    assert.equal(status, 200);
    assert.equal(body.status, "done");
  });
}

Deno.test("a job that another process finishes ends the waiting too", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  const waiting = bench.call(`/jobs/${id}/status?wait=60`);
  await bench.queue.store.probe(Date.now());
  await using other = await openStore({
    db: bench.path,
    driver: "builtin",
    clock: Date.now,
    synchronous: () => "full",
  });
  await other.cancel(id, Date.now());
  assert.equal((await waiting).body.status, "cancelled");
});

Deno.test("when the time is over the job comes as it is", async () => {
  await using bench = await httpBench();
  const id = await bench.addCount();
  assert.equal((await bench.call(`/jobs/${id}/status?wait=0.05`)).body.status, "pending");
  assert.equal((await bench.call(`/jobs/${id}/result?wait=0`)).status, 202);
});

Deno.test("who waits for a job that does not exist is told at once", async () => {
  await using bench = await httpBench();
  assertProblem(await bench.call("/jobs/nobody?wait=60"), 404);
});

for (const wait of ["x", "-1", "61", "1e1", ""]) {
  Deno.test(`?wait=${wait} is refused with what was expected`, async () => {
    await using bench = await httpBench();
    const id = await bench.addCount();
    assertProblem(await bench.call(`/jobs/${id}?wait=${wait}`), 422);
  });
}
