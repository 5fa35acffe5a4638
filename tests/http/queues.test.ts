/** Queues over HTTP: what is said of them, and what bad input is answered. */
import assert from "node:assert/strict";
import { assertProblem, httpBench } from "../helpers/http.ts";

type Bench = Awaited<ReturnType<typeof httpBench>>;

const patch = (bench: Bench, name: string, value: unknown) =>
  bench.call(`/queues/${name}`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: typeof value === "string" ? value : JSON.stringify(value),
  });
const post = (bench: Bench, path: string) => bench.call(path, { method: "POST" });

Deno.test("PATCH /queues/{name} sets limits of a queue that never had a job", async () => {
  await using bench = await httpBench();
  const limits = { max_running: 2, rate: { limit: 10, period: "1m" }, key_max_running: 1 };
  const { status, body } = await patch(bench, "mail", limits);
  assert.equal(status, 200);
  const shown = {
    queue: "mail",
    paused: false,
    paused_at: null,
    max_running: 2,
    rate: { limit: 10, period: "1m", period_ms: 60_000 },
    key_max_running: 1,
  };
  assert.deepEqual(body, shown);
  const found = await bench.call("/queues/mail");
  assert.equal(found.status, 200);
  assert.equal(found.body.jobs.pending, 0);
  for (const [field, value] of Object.entries(shown)) assert.deepEqual(found.body[field], value);
  const { body: { queues } } = await bench.call("/queues");
  assert.deepEqual(queues, [found.body]);
});

Deno.test("what PATCH leaves out stays, null takes a limit away", async () => {
  await using bench = await httpBench();
  await patch(bench, "mail", { max_running: 2, rate: { limit: 10, period: "1m" } });
  const { body } = await patch(bench, "mail", { max_running: null });
  assert.deepEqual([body.max_running, body.rate.limit], [null, 10]);
  await patch(bench, "mail", { rate: null });
  assertProblem(await bench.call("/queues/mail"), 404, /there is no queue \\?"mail/);
});

Deno.test("POST /queues/{name}/pause stops claims until /resume; both may be repeated", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { queue: "mail" });
  for (let time = 0; time < 2; time++) {
    const { status, body } = await post(bench, "/queues/mail/pause");
    assert.equal(status, 200);
    assert.equal(body.paused, true);
    assert.match(body.paused_at, /^20\d\d-.*Z$/);
  }
  const { body: stats } = await bench.call("/stats");
  assert.deepEqual(stats.queues.map((one: { paused: boolean }) => one.paused), [true]);
  const { body: mail } = await bench.call("/queues/mail");
  assert.deepEqual([mail.paused, mail.jobs.pending, mail.running], [true, 1, 0]);
  assert.ok(mail.oldest_ready.waiting_ms >= 0);
  for (let time = 0; time < 2; time++) {
    assert.equal((await post(bench, "/queues/mail/resume")).body.paused, false);
  }
});

Deno.test("changes of queues stand in the audit log with who made them", async () => {
  await using bench = await httpBench();
  await post(bench, "/queues/mail/pause");
  await patch(bench, "mail", { max_running: 2 });
  await post(bench, "/queues/mail/resume");
  const { body } = await bench.call("/audit");
  assert.deepEqual(
    body.entries.map(({ action, target, detail, by }: Record<string, string>) => [
      ...[action, target, detail, by],
    ]),
    [
      ["queue.resume", "mail", null, "loopback"],
      ["queue.set", "mail", "max_running=2", "loopback"],
      ["queue.pause", "mail", null, "loopback"],
    ],
  );
});

Deno.test("PATCH /queues/{name} names everything that is wrong, and changes nothing then", async () => {
  await using bench = await httpBench();
  const answer = await patch(bench, "mail", {
    max_running: 0,
    rate: { limit: "many", period: "soon" },
    key_max_running: 1,
    burst: 5,
  });
  const { errors } = assertProblem(answer, 422);
  assert.deepEqual(
    errors.map(({ pointer }: { pointer: string }) => pointer),
    ["/max_running", "/rate", "/burst"],
  );
  for (const bad of [[], {}, 5, { rate: 10 }, { rate: { limit: 1 } }, { max_running: "2" }]) {
    assertProblem(await patch(bench, "mail", bad), 422);
  }
  assertProblem(await patch(bench, "mail", "{"), 400, /not JSON/);
  assertProblem(await patch(bench, "mail", ""), 400);
  assertProblem(await patch(bench, "mail", `"${"x".repeat(20_000)}"`), 413);
  const text = { method: "PATCH", headers: { "content-type": "text/plain" }, body: "{}" };
  assertProblem(await bench.call("/queues/mail", text), 415, /expected the content type/);
  assertProblem(await bench.call("/queues/mail"), 404);
});

Deno.test("names that no queue can have are 404, wrong methods 405 with Allow", async () => {
  await using bench = await httpBench();
  for (const name of ["a%20b", "%00", "x".repeat(65), "%2e%2e%2f"]) {
    assertProblem(await bench.call(`/queues/${name}`), 404);
    assertProblem(await patch(bench, name, { max_running: 1 }), 404);
    assertProblem(await post(bench, `/queues/${name}/pause`), 404);
  }
  const answer = await bench.call("/queues/mail", { method: "DELETE" });
  assertProblem(answer, 405);
  assert.equal(answer.headers.get("allow"), "GET, HEAD, PATCH");
  assertProblem(await bench.call("/queues/mail/pause"), 405);
});
