/** A shutdown or deploy costs no attempt, and leaves nothing running. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

/** Runs until the file `go` is there. */
const UNTIL_GO = 'touch "began-$QUEUECTL_JOB_ID"; until [ -e go ]; do sleep 0.05; done';
/** Would run for ever; ignores what asks it to end, as does what it has started. */
const STUBBORN = `
  trap "" TERM INT
  sh -c 'sleep 1000; :' &
  setsid sh -c 'touch "began-$QUEUECTL_JOB_ID"; sleep 1000; :' &
  while :; do sleep 1000; done
`;

async function hasBegun(sandbox: Sandbox, id: string): Promise<void> {
  await eventually(() => sandbox.has(`began-${id}`), { what: `job ${id} had begun` });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} lets running jobs finish, claims no more, and exits with 0`, async () => {
    await using sandbox = await Sandbox.create();
    const worker = await sandbox.worker(["-n", "1"]);
    await sandbox.add(`${UNTIL_GO}; echo finished`, "--id", "running");
    await hasBegun(sandbox, "running");
    await sandbox.add("touch never", "--id", "waiting");
    worker.signal(signal);
    await worker.sees("service.draining", { fits: (line) => line["signal"] === signal });
    sandbox.touch("go");
    assert.equal((await worker.endsWithin()).code, 0);

    const running = await sandbox.show("running");
    assert.deepEqual(
      { state: running["state"], attempts: running["attempts"] },
      { state: "completed", attempts: 0 },
    );
    assert.equal(running["output"].stdout, "finished\n");
    const waiting = await sandbox.show("waiting");
    assert.deepEqual(
      { state: waiting["state"], attempts: waiting["attempts"] },
      { state: "pending", attempts: 0 },
    );
    assert.equal(sandbox.has("never"), false);
    assert.deepEqual(JSON.parse(await sandbox.ok("worker", "list", "--json")), []);
  });
}

Deno.test("jobs that outlast shutdown-timeout are given back unharmed, their processes gone", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "2", "--shutdown-timeout", "300ms"]);
  const ids = ["one", "two"];
  for (const id of ids) await sandbox.add(STUBBORN, "--id", id, "--max-retries", "0");
  for (const id of ids) await hasBegun(sandbox, id);
  const sentAtMs = performance.now();
  assert.equal((await worker.stop("SIGTERM")).code, 0);
  const tookMs = performance.now() - sentAtMs;
  // The timeout, 2 s of grace before SIGKILL, and much time for a busy machine.
  assert.ok(tookMs < 30_000, `took ${tookMs} ms`);
  for (const id of ids) {
    const job = await sandbox.show(id);
    assert.deepEqual(
      { state: job["state"], attempts: job["attempts"], history: job["attempt_history"] },
      { state: "pending", attempts: 0, history: [] },
    );
    assert.deepEqual(sandbox.processesOf(id), []);
  }
});

Deno.test("a job survives ten deploys with its attempts untouched, then finishes", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.add(UNTIL_GO, "--id", "long", "--max-retries", "0");
  for (let deploy = 0; deploy < 10; deploy++) {
    const worker = await sandbox.worker(["-n", "1", "--shutdown-timeout", "0s"]);
    await hasBegun(sandbox, "long");
    assert.equal((await worker.stop()).code, 0);
    Deno.removeSync(sandbox.path("began-long"));
  }
  sandbox.touch("go");
  await sandbox.worker(["-n", "1"]);
  assert.equal(await sandbox.wait(["long"]), 0);
  assert.equal((await sandbox.show("long"))["attempts"], 0);
});

for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`a second signal, ${signal}, stops at once with ${exitCode}, still without costing an attempt`, async () => {
    await using sandbox = await Sandbox.create();
    const worker = await sandbox.worker(["-n", "1", "--shutdown-timeout", "1h"]);
    await sandbox.add(STUBBORN, "--id", "one", "--max-retries", "0");
    await hasBegun(sandbox, "one");
    worker.signal("SIGTERM");
    await worker.sees("service.draining");
    const { code } = await worker.stop(signal); // long before the hour is over
    assert.equal(code, exitCode, "work was cut off");
    await eventually(() => sandbox.processesOf("one").length === 0, {
      what: "the command's processes were gone",
    });
    const job = await sandbox.show("one");
    assert.deepEqual(
      { state: job["state"], attempts: job["attempts"] },
      { state: "pending", attempts: 0 },
    );
  });
}

Deno.test("a draining server answers, says that it is not ready, and ends with its jobs", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const api = apiOf(server);
  await sandbox.add(UNTIL_GO, "--id", "running");
  await hasBegun(sandbox, "running");
  server.signal("SIGTERM");
  await server.sees("service.draining");
  assert.equal((await api.get("/healthz")).status, 200);
  assert.equal((await api.get("/readyz")).status, 503);
  await eventually(
    async () => (await api.get("/jobs/running/status")).body.status === "processing",
    { what: "the job was seen to be processed" },
  );
  sandbox.touch("go");
  assert.equal((await server.endsWithin()).code, 0);
  assert.equal((await sandbox.show("running"))["state"], "completed");
});

Deno.test("simulated work of a server is given back at the end of shutdown-timeout", async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["--workers", "2", "--shutdown-timeout", "200ms"];
  const server = await sandbox.serve([...flags, "--simulated-work", "1h"]);
  const api = apiOf(server);
  const ids: string[] = [];
  for (let upload = 0; upload < 3; upload++) ids.push((await api.upload("hello")).body.job_id);
  await eventually(async () => (await api.get("/stats")).body.jobs.pending === 1, {
    what: "two jobs were being worked on",
  });
  assert.equal((await server.stop()).code, 0);
  for (const id of ids) {
    const job = await sandbox.show(id);
    assert.deepEqual([job["state"], job["attempts"]], ["pending", 0]);
  }
  await sandbox.worker(["-n", "2"]);
  assert.equal(await sandbox.wait(ids), 0);
});
