/** Schedules over HTTP: made, looked at, changed, and every bad input. */
import assert from "node:assert/strict";
import { createToken } from "../../src/queue/tokens.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, type HttpBench, httpBench, isTokenKnown } from "../helpers/http.ts";

const COUNT = { kind: "count", payload: "hello" };

Deno.test("POST /schedules makes a schedule and answers with it; GET shows its next runs", async () => {
  await using bench = await httpBench();
  const made = await bench.post("/schedules", {
    name: "nightly",
    cron: "30 2 * * *",
    tz: "Europe/Berlin",
    overlap: "skip",
    job: { ...COUNT, queue: "night", max_retries: 1 },
  });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers.get("location"), "/schedules/nightly");
  assert.equal(made.body.catch_up, "once");
  assert.equal(made.body.paused, false);
  assert.deepEqual(made.body.job, { max_retries: 1, ...COUNT, queue: "night" });

  const shown = await bench.call("/schedules/nightly?next=3");
  assert.equal(shown.status, 200);
  assert.equal(shown.body.next_runs.length, 3);
  for (const { at, local } of shown.body.next_runs) {
    assert.match(local, /T02:30:00\+0[12]:00$|T03:00:00\+02:00$/);
    assert.equal(Date.parse(at), Date.parse(local));
  }
  assert.equal(shown.body.next_runs[0].at, shown.body.next_run_at);

  const listed = await bench.call("/schedules");
  assert.deepEqual(listed.body, { schedules: [made.body] });
});

Deno.test("POST /schedules refuses a name that is taken, unless it is to be replaced", async () => {
  await using bench = await httpBench();
  const schedule = { name: "a", every: "1h", job: COUNT };
  assert.equal((await bench.post("/schedules", schedule)).status, 201);
  assertProblem(await bench.post("/schedules", schedule), 409, /exists already/);
  const replaced = await bench.post("/schedules", { ...schedule, every: "2h", replace: true });
  assert.deepEqual([replaced.status, replaced.body.every], [200, "2h"]);
});

Deno.test("POST /schedules says every problem at once, with where it is", async () => {
  await using bench = await httpBench();
  const answer = await bench.post("/schedules", {
    name: "",
    cron: "0 0 30 2 *",
    tz: "Mars/Olympus",
    catch_up: 1,
    job: { kind: "count", payload: 5, run_at: "2030-01-01T00:00:00Z" },
  });
  const { errors } = assertProblem(answer, 422);
  assert.deepEqual(errors.map(({ pointer }: { pointer: string }) => pointer).toSorted(), [
    "/catch_up",
    "/cron",
    "/job/payload",
    "/job/run_at",
    "/name",
    "/tz",
  ]);
});

Deno.test("POST /schedules answers bad bodies as POST /jobs does", async () => {
  await using bench = await httpBench();
  const post = (body: string, type = "application/json") =>
    bench.call("/schedules", { method: "POST", body, headers: { "content-type": type } });
  assertProblem(await post("{"), 400);
  assertProblem(await post("[]"), 422, /expected a JSON object/);
  assertProblem(await post("null"), 422, /expected a JSON object/);
  assertProblem(await post("name=a", "application/x-www-form-urlencoded"), 415);
  assertProblem(await post(JSON.stringify({ pad: "x".repeat(2_000_000) })), 413);
  assertProblem(await post(`{"name":"a","cron":"${"9,".repeat(400_000)}9 * * * *"}`), 422);
  assertProblem(await bench.call("/schedules", { method: "PUT" }), 405);
});

Deno.test("a schedule is paused, resumed, run and removed by POST and DELETE", async () => {
  await using bench = await httpBench();
  await bench.post("/schedules", { name: "a", cron: "@yearly", job: COUNT });
  const act = (verb: string) => bench.call(`/schedules/a/${verb}`, { method: "POST" });
  const paused = await act("pause");
  assert.deepEqual([paused.status, paused.body.paused], [200, true]);
  assert.equal(paused.body.next_run_at, null);
  assert.deepEqual((await bench.call("/schedules/a")).body.next_runs, []);
  const resumed = await act("resume");
  assert.deepEqual([resumed.body.paused, resumed.body.next_run_at === null], [false, false]);

  const ran = await act("run");
  assert.equal(ran.status, 201);
  const { body: job } = await bench.call(ran.headers.get("location")!);
  assert.equal(job.job_id, ran.body.job_id);
  assert.equal(job.schedule, "a");
  assert.ok(job.scheduled_for <= job.created_at);
  assert.equal((await bench.call("/schedules/a")).body.last_job_id, job.job_id);

  const removed = await bench.call("/schedules/a", { method: "DELETE" });
  assert.deepEqual([removed.status, removed.body.name], [200, "a"]);
  for (const path of ["/schedules/a", "/schedules/%20", "/schedules/b"]) {
    assertProblem(await bench.call(path), 404, /no schedule with the name/);
  }
  assertProblem(await act("run"), 404);
  assertProblem(await act("pause"), 404);
  assertProblem(await act("resume"), 404);
  assertProblem(await bench.call("/schedules/a", { method: "DELETE" }), 404);
  assert.equal((await bench.call(`/jobs/${job.job_id}`)).status, 200, "its jobs stay");
});

Deno.test("a run by hand is 409 while the job before is not finished and none may run beside it", async () => {
  await using bench = await httpBench();
  await bench.post("/schedules", { name: "a", every: "1h", overlap: "skip", job: COUNT });
  const run = () => bench.call("/schedules/a/run", { method: "POST" });
  assert.equal((await run()).status, 201);
  assertProblem(await run(), 409, /is not finished/);
  await bench.settle({ event: "complete", result: "1" });
  assert.equal((await run()).status, 201);
});

Deno.test("schedules of commands need --allow-commands and the scope command", async () => {
  const schedule = { name: "a", every: "1h", job: { command: "true" } };
  const sneaky = { name: "b", every: "1h", job: { kind: "command", payload: "true" } };
  await using closed = await httpBench();
  assertProblem(await closed.post("/schedules", schedule), 403, /allow-commands/);
  assertProblem(await closed.post("/schedules", sneaky), 403, /allow-commands/);

  await using bench = await httpBench({ settings: { "allow-commands": true } });
  const admin = await tokenWith(bench, "admin");
  const both = await tokenWith(bench, "admin,command");
  assertProblem(await bench.post("/schedules", schedule, admin), 403, /scope command/);
  assert.equal((await bench.post("/schedules", schedule, both)).status, 201);
});

async function tokenWith(bench: HttpBench, scopes: string): Promise<Record<string, string>> {
  const name = scopes.replaceAll(",", "-");
  const request = { name, scopes, expiresInMs: null };
  const { secret } = await createToken(bench.store, request, { by: "test", atMs: Date.now() });
  const headers = { authorization: `Bearer ${secret}` };
  await eventually(() => isTokenKnown(bench, headers), { what: "the server knew the token" });
  return headers;
}

Deno.test("changes of schedules stand in the audit log with who made them", async () => {
  await using bench = await httpBench();
  await bench.post("/schedules", { name: "a", every: "1h", job: COUNT });
  await bench.call("/schedules/a/run", { method: "POST" });
  await bench.call("/schedules/a", { method: "DELETE" });
  const { body } = await bench.call("/audit");
  assert.deepEqual(
    body.entries.map(({ by, action, target }: Record<string, string>) => [by, action, target]),
    [
      ["loopback", "schedule.remove", "a"],
      ["loopback", "schedule.run", "a"],
      ["loopback", "schedule.add", "a"],
    ],
  );
});
