/** Asking a process of workers to finish and end, over HTTP and from its page. */
import assert from "node:assert/strict";
import { processStart, thisHost } from "../../src/lib/process_identity.ts";
import type { WorkerRecord } from "../../src/store/store.ts";
import { assertProblem } from "../helpers/http.ts";
import { pageBench } from "../helpers/pages.ts";

function recordOf(pid: number, changes: Partial<WorkerRecord> = {}): WorkerRecord {
  return {
    holder: "abc",
    label: "w-1",
    pid,
    host: thisHost(),
    processStart: processStart(pid),
    role: "worker",
    status: "idle",
    restarts: 0,
    startedAtMs: Date.now(),
    ...changes,
  };
}

/** Something that ends when it is asked to. */
function spawnSleeper(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
}

Deno.test("a process of workers is asked to end, by its page too, and the audit log tells who asked", async () => {
  await using bench = await pageBench();
  for (
    const ask of [
      () => bench.post("/workers/abc/drain", {}),
      () => bench.send("/ui/workers/abc/drain"),
    ]
  ) {
    const child = spawnSleeper();
    await bench.store.saveWorkers([recordOf(child.pid)], Date.now());
    assert.match((await bench.look("/ui/workers")).text, /action="\/ui\/workers\/abc\/drain"/);
    const answer = await ask();
    assert.ok(answer.status === 200 || answer.status === 303, answer.text);
    assert.equal((await child.status).signal, "SIGTERM");
    const [entry] = await bench.queue.audit({ limit: 1 });
    assert.deepEqual([entry!.action, entry!.target, entry!.by], [
      "worker.drain",
      `process ${child.pid}`,
      "loopback",
    ]);
  }
});

Deno.test("what cannot be ended from here is not touched, and why is said", async () => {
  await using bench = await pageBench();
  const child = spawnSleeper();
  try {
    for (
      const [changes, why] of [
        [{ role: "serve" }, /serves the API/],
        [{ host: "elsewhere//" }, /another machine/],
        [{ processStart: "1" }, /ended already/],
      ] as const
    ) {
      await bench.store.saveWorkers([recordOf(child.pid, changes)], Date.now());
      assertProblem(await bench.post("/workers/abc/drain", {}), 409, why);
    }
    assertProblem(await bench.post("/workers/nobody/drain", {}), 404, /no process/);
  } finally {
    child.kill("SIGKILL");
    assert.equal((await child.status).signal, "SIGKILL", "nobody else has ended it");
  }
});
