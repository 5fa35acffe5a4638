/** Jobs that have to do with each other, run by real workers and added by several processes. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { Sandbox } from "../helpers/program.ts";

const COUNT = { kind: "count", payload: "x" };

Deno.test("a pipeline runs in its order; what follows from a failure is cancelled or cleans up", async () => {
  await using sandbox = await Sandbox.create();
  const step = (id: string, after: string[], fields: Record<string, unknown> = {}) => ({
    ...{ id, command: `echo ${id} >> ran`, max_retries: 0 },
    ...(after.length === 0 ? {} : { after }),
    ...fields,
  });
  await sandbox.enqueue([
    step("deploy", ["test", "lint"]),
    step("test", ["build"]),
    step("lint", ["build"]),
    step("build", []),
    step("broken", ["deploy"], { command: "exit 3" }),
    step("never", ["broken"]),
    step("never-either", ["never"]),
    step("cleanup", ["broken"], { after_on: "failure" }),
    step("report", ["never-either", "cleanup"], { after_on: "any" }),
  ]);
  await using _worker = await sandbox.worker(["-n", "4"]);
  await sandbox.wait(["report"]);
  const ran = sandbox.lines("ran");
  assert.deepEqual([ran[0], ran.slice(1, 3).sort(), ran[3]], ["build", ["lint", "test"], "deploy"]);
  assert.deepEqual(ran.slice(4), ["cleanup", "report"]);
  for (const [id, error] of [["never", /broken.*is dead/], ["never-either", /never.*cancelled/]]) {
    const job = await sandbox.show(id as string);
    assert.equal(job["state"], "cancelled");
    assert.match(job["error"], error as RegExp);
  }
});

Deno.test("two processes that add one unique key at the same moment get one job", async () => {
  await using sandbox = await Sandbox.create();
  const servers = await Promise.all([0, 1].map(() => sandbox.serve(["--workers", "0"])));
  const apis = servers.map(apiOf);
  const job = { ...COUNT, unique_key: "once" };
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => apis[index % 2]!.post("/jobs", job)),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  assert.equal(answers.filter(({ status }) => status === 200).length, 99);
  assert.equal(new Set(answers.map(({ body }) => body.job_id)).size, 1);
  assert.equal((await apis[0]!.get("/jobs")).body.jobs.length, 1);
});

Deno.test("an Idempotency-Key counts in every process, also after kill -9", async () => {
  await using sandbox = await Sandbox.create();
  const send = (service: { readonly url: string }) =>
    apiOf(service).call("/jobs", {
      method: "POST",
      body: JSON.stringify(COUNT),
      headers: { "content-type": "application/json", "idempotency-key": "lost-answer" },
    });
  const [first, second] = await Promise.all([0, 1].map(() => sandbox.serve(["--workers", "0"])));
  const answer = await send(first!);
  assert.equal(answer.status, 201);
  assert.equal((await send(second!)).text, answer.text);
  await first!.kill();
  await second!.kill();
  const third = await sandbox.serve(["--workers", "0"]);
  const again = await send(third);
  assert.deepEqual([again.status, again.text], [201, answer.text]);
  assert.equal(again.headers.get("idempotency-replayed"), "true");
});

Deno.test("a job is retried as its own policy says", async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["--retry-on", "75", "--backoff", "fixed:10ms", "--max-retries", "3"];
  const again = await sandbox.add("echo x >> again; exit 75", ...flags);
  const once = await sandbox.add("echo x >> once; exit 3", ...flags);
  const old = await sandbox.add("echo x >> old; exit 1", "--backoff", "1m", "--max-age", "30s");
  await using _worker = await sandbox.worker(["-n", "2"]);
  assert.equal(await sandbox.wait([again, once, old]), 1);
  assert.equal(sandbox.lines("again").length, 4);
  assert.equal(sandbox.lines("once").length, 1);
  assert.equal(sandbox.lines("old").length, 1);
  const error = async (id: string) => (await sandbox.show(id))["error"];
  assert.match(await error(once), /exit code 3.*not tried again: only the exit codes 75 are/);
  assert.match(await error(old), /not tried again: the job would be older than its max_age/);
});
