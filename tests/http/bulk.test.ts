/** One change to many jobs: `POST /jobs/bulk`, and looking for them: `GET /jobs?q=`. */
import assert from "node:assert/strict";
import { assertProblem, type HttpBench, httpBench } from "../helpers/http.ts";
import { newJobs } from "../helpers/jobs.ts";
import { EXIT_ERROR } from "../store/conformance/harness.ts";

async function withDead(bench: HttpBench, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    ids.push(await bench.addCount(`text ${n}`));
    await bench.settle({ event: "bury", error: EXIT_ERROR });
  }
  return ids;
}

Deno.test("a dry run says how many there are and changes nothing", async () => {
  await using bench = await httpBench();
  const [first] = await withDead(bench, 3);
  await bench.addCount("waits");
  const { status, body } = await bench.post("/jobs/bulk", {
    action: "requeue",
    q: "",
    dry_run: true,
  });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    action: "requeue",
    dry_run: true,
    matched: 4,
    allowed: 3,
    changed: 0,
    has_more: false,
  });
  assert.equal((await bench.call(`/jobs/${first}`)).body.state, "dead");
});

Deno.test("all that a search finds are requeued, cancelled, deleted", async () => {
  await using bench = await httpBench();
  const ids = await withDead(bench, 3);
  const change = async (action: string, q: string) =>
    (await bench.post("/jobs/bulk", { action, q })).body.changed;
  assert.equal(await change("requeue", 'state:dead "text 1"'), 1);
  assert.equal((await bench.call(`/jobs/${ids[1]}`)).body.state, "pending");
  assert.equal(await change("cancel", "state:pending"), 1);
  assert.equal((await bench.call(`/jobs/${ids[1]}`)).body.state, "cancelled");
  assert.equal(await change("delete", "state:dead"), 2);
  assert.equal((await bench.call(`/jobs/${ids[0]}`)).status, 404);
});

Deno.test("named jobs: those that exist and may be changed are", async () => {
  await using bench = await httpBench();
  const [dead] = await withDead(bench, 1);
  const waiting = await bench.addCount();
  const ids = [dead, waiting, "nobody"];
  const { body } = await bench.post("/jobs/bulk", { action: "requeue", ids });
  assert.deepEqual([body.matched, body.allowed, body.changed], [2, 1, 1]);
});

Deno.test("with a pace requeued jobs fall due so many in a time", async () => {
  await using bench = await httpBench();
  const ids = await withDead(bench, 4);
  await bench.post("/jobs/bulk", { action: "requeue", ids, pace: "2/1h" });
  const due = await Promise.all(ids.map(async (id) => {
    const { body } = await bench.call(`/jobs/${id}`);
    return Date.parse(body.run_at);
  }));
  const first = Math.min(...due);
  assert.deepEqual(due.map((at) => Math.round((at - first) / 3_600_000)), [0, 0, 1, 1]);
});

Deno.test("GET /jobs?q= finds jobs, together with the other filters, and pages", async () => {
  await using bench = await httpBench();
  await withDead(bench, 3);
  await bench.addCount("text 1");
  const found = await bench.call(`/jobs?q=${encodeURIComponent('"text 1"')}`);
  assert.equal(found.body.jobs.length, 2);
  const dead = await bench.call(`/jobs?state=dead&q=${encodeURIComponent('"text 1"')}`);
  assert.deepEqual(dead.body.jobs.map((job: { state: string }) => job.state), ["dead"]);
  const page = await bench.call("/jobs?q=text&limit=3");
  assert.equal(page.body.jobs.length, 3);
  const rest = await bench.call(`/jobs?q=text&limit=3&cursor=${page.body.next_cursor}`);
  assert.deepEqual([rest.body.jobs.length, rest.body.next_cursor], [1, null]);
  assertProblem(await bench.call("/jobs?q=stat:dead"), 422);
});

const REFUSED: unknown[] = [
  [],
  { action: "explode", ids: [] },
  { action: "cancel" },
  { action: "cancel", ids: ["a"], q: "x" },
  { action: "cancel", ids: ["not an id"] },
  { action: "cancel", q: 5 },
  { action: "cancel", q: "stat:dead" },
  { action: "cancel", q: "", pace: "1/1s" },
  { action: "requeue", q: "", pace: "fast" },
  { action: "requeue", q: "", dry_run: "yes" },
  { action: "requeue", q: "", force: true },
];

for (const input of REFUSED) {
  Deno.test(`POST /jobs/bulk refuses ${JSON.stringify(input)}`, async () => {
    await using bench = await httpBench();
    const id = await bench.addCount();
    assertProblem(await bench.post("/jobs/bulk", input), 422);
    assert.equal((await bench.call(`/jobs/${id}`)).body.state, "pending");
  });
}

Deno.test("while many jobs are looked through and changed, others are answered", async () => {
  await using bench = await httpBench();
  for (let step = 0; step < 10; step++) await bench.store.add(newJobs(2_000), Date.now());
  const calls = [{ dry_run: true }, {}].map((more) => () =>
    bench.post("/jobs/bulk", { action: "cancel", q: "", ...more })
  );
  for (const call of [...calls, () => bench.call("/jobs?q=nowhere")]) {
    let isOver = false;
    const long = call().then(({ status }) => {
      isOver = true;
      assert.equal(status, 200);
    });
    let answered = 0;
    while (!isOver && answered < 3) {
      assert.equal((await bench.call("/healthz")).status, 200);
      if (!isOver) answered++;
    }
    await long;
    assert.ok(answered > 0, "somebody was answered meanwhile");
  }
});
