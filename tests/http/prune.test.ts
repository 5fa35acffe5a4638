/** Letting go of finished jobs over HTTP: `POST /prune`. */
import assert from "node:assert/strict";
import { assertProblem, type HttpBench, httpBench } from "../helpers/http.ts";
import { EXIT_ERROR } from "../store/conformance/harness.ts";

/** A completed and a dead job. */
async function withFinished(bench: HttpBench): Promise<{ completed: string; dead: string }> {
  const completed = await bench.addCount();
  await bench.settle({ event: "complete", result: "1" });
  const dead = await bench.addCount();
  await bench.settle({ event: "bury", error: EXIT_ERROR });
  return { completed, dead };
}

Deno.test("a dry run says how many would go, and deletes nothing", async () => {
  await using bench = await httpBench();
  const { completed } = await withFinished(bench);
  const { status, body } = await bench.post("/prune", { dry_run: true, older_than: "0s" });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    dry_run: true,
    deleted: 0,
    jobs: { completed: 1, dead: 0, cancelled: 0 },
  });
  assert.equal((await bench.call(`/jobs/${completed}`)).status, 200);
});

Deno.test("what is old enough goes; dead jobs only where they are named; the rest stays", async () => {
  await using bench = await httpBench();
  const { completed, dead } = await withFinished(bench);
  assert.equal((await bench.post("/prune", {})).body.deleted, 0, "the settings keep them for days");
  assert.equal((await bench.post("/prune", { older_than: "0s" })).body.deleted, 1);
  assert.equal((await bench.call(`/jobs/${completed}`)).status, 404);
  assert.equal((await bench.call(`/jobs/${dead}`)).status, 200);
  const named = await bench.post("/prune", { older_than: "0s", states: ["dead"] });
  assert.deepEqual(named.body.jobs, { completed: 0, dead: 1, cancelled: 0 });
});

for (
  const input of [
    [],
    { older_than: "soon" },
    { older_than: -1 },
    { states: [] },
    { states: ["pending"] },
    { dry_run: "yes" },
    { force: true },
  ]
) {
  Deno.test(`POST /prune refuses ${JSON.stringify(input)}`, async () => {
    await using bench = await httpBench();
    const { completed } = await withFinished(bench);
    assertProblem(await bench.post("/prune", input), 422);
    assert.equal((await bench.call(`/jobs/${completed}`)).status, 200);
  });
}
