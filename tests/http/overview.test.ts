/** The queue as a whole, and whether the process lives and can work. */
import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../src/job/errors.ts";
import type { JobStore } from "../../src/store/store.ts";
import { assertProblem, httpBench } from "../helpers/http.ts";

Deno.test("GET /stats counts by state and queue, with throughput and the oldest ready job", async () => {
  await using bench = await httpBench();
  const first = await bench.addCount("x", { queue: "a" });
  await bench.addCount("x", { queue: "b" });
  await bench.queue.cancel(first);
  const { status, body } = await bench.call("/stats");
  assert.equal(status, 200);
  assert.equal(body.jobs.pending, 1);
  assert.equal(body.jobs.cancelled, 1);
  assert.equal(body.total, 2);
  const byQueue = Object.fromEntries(
    body.queues.map((one: { queue: string; jobs: unknown }) => [one.queue, one.jobs]),
  );
  assert.equal(byQueue.a.cancelled, 1);
  assert.equal(byQueue.b.pending, 1);
  assert.equal(body.throughput.last_minute.added, 2);
  assert.ok(body.oldest_ready.waiting_ms >= 0);
  assert.deepEqual(body.workers, []);
});

Deno.test("GET /queues counts each queue", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { queue: "mail" });
  const { body } = await bench.call("/queues");
  assert.deepEqual(body.queues.map((one: { queue: string }) => one.queue), ["mail"]);
  assert.equal(body.queues[0].jobs.pending, 1);
});

Deno.test("GET /workers shows live workers, what each does, and no dead ones", async () => {
  await using bench = await httpBench();
  const worker = {
    holder: "test-holder",
    label: "w-1",
    pid: 42,
    host: "here",
    processStart: "1",
    role: "serve",
    status: "idle",
    restarts: 0,
    startedAtMs: Date.now(),
  } as const;
  await bench.store.saveWorkers([{ ...worker, holder: "gone" }], Date.now() - 3_600_000);
  await bench.store.saveWorkers([worker], Date.now());
  const id = await bench.addCount();
  await bench.claim();
  const { body } = await bench.call("/workers");
  assert.equal(body.workers.length, 1);
  const { worker: label, pid, status, job_id } = body.workers[0];
  assert.deepEqual({ label, pid, status, job_id }, {
    label: "w-1",
    pid: 42,
    status: "busy",
    job_id: id,
  });
});

Deno.test("GET /healthz is 200 while the process lives", async () => {
  await using bench = await httpBench();
  const { status, body } = await bench.call("/healthz");
  assert.equal(status, 200);
  assert.equal(body.status, "ok");
  assert.equal(body.version, "9.9.9");
  assert.equal(typeof body.uptime_s, "number");
});

/** A store whose methods fail while `isBroken`. */
function breakable(): { wrap: (store: JobStore) => JobStore; isBroken: boolean } {
  const state = {
    isBroken: false,
    wrap: (store: JobStore) =>
      new Proxy(store, {
        get(target, name) {
          const member = target[name as keyof JobStore];
          if (typeof member !== "function") return member;
          // deno-lint-ignore no-explicit-any -- any method of the store
          return (...args: any[]) => {
            if (!state.isBroken) {
              return (member as (...args: unknown[]) => unknown).apply(target, args);
            }
            const cause = new Error("SECRET of the inside");
            return Promise.reject(
              new StoreUnavailableError("cannot write the database: the disk is full", { cause }),
            );
          };
        },
      }),
  };
  return state;
}

Deno.test("without a usable store /readyz is 503 with the reason, and 200 again when it is back", async () => {
  const disk = breakable();
  await using bench = await httpBench({ wrapStore: disk.wrap });
  assert.equal((await bench.call("/readyz")).status, 200);
  disk.isBroken = true;
  const answer = await bench.call("/readyz");
  assertProblem(answer, 503, /the disk is full/);
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  assert.equal((await bench.call("/healthz")).status, 200);
  disk.isBroken = false;
  assert.equal((await bench.call("/readyz")).status, 200);
});

Deno.test("without a usable store every call is 503 with Retry-After, and works again afterwards", async () => {
  const disk = breakable();
  await using bench = await httpBench({ wrapStore: disk.wrap });
  disk.isBroken = true;
  const calls: [string, string][] = [
    ["POST", "/jobs/a/cancel"],
    ["POST", "/jobs/a/requeue"],
    ["DELETE", "/jobs/a"],
    ["GET", "/jobs/a"],
    ["GET", "/jobs/a/status"],
    ["GET", "/jobs/a/result"],
    ["GET", "/jobs/a/output"],
    ["GET", "/jobs"],
    ["GET", "/stats"],
    ["GET", "/queues"],
    ["GET", "/workers"],
  ];
  const answers = [
    await bench.upload({ file: "x", id: "a" }),
    await bench.post("/jobs", { kind: "count", payload: "x", id: "a" }),
    await bench.post("/jobs/batch", [{ kind: "count", payload: "x", id: "a" }]),
  ];
  for (const [method, path] of calls) answers.push(await bench.call(path, { method }));
  for (const answer of answers) {
    assertProblem(answer, 503);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    assert.doesNotMatch(answer.text, /SECRET/);
  }
  disk.isBroken = false;
  assert.equal((await bench.upload({ file: "x", id: "a" })).status, 201);
});

Deno.test("an unexpected error is 500 and shows nothing of the inside; the log has it", async () => {
  const logged: string[] = [];
  const silent = () => {};
  await using bench = await httpBench({
    log: {
      debug: silent,
      info: silent,
      warn: silent,
      error: (event, fields) => logged.push(`${event} ${fields?.message}`),
    },
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          if (name === "stats") return () => Promise.reject(new Error("SECRET of the inside"));
          const member = target[name as keyof JobStore];
          return typeof member === "function" ? member.bind(target) : member;
        },
      }),
  });
  const answer = await bench.call("/stats");
  assertProblem(answer, 500);
  assert.doesNotMatch(answer.text, /SECRET/);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /http\.failed.*SECRET/);
  assert.equal((await bench.call("/healthz")).status, 200);
});

Deno.test("GET /readyz is 503 while draining; jobs can still be looked at", async () => {
  let isDraining = false;
  await using bench = await httpBench({ isDraining: () => isDraining });
  const id = await bench.addCount();
  isDraining = true;
  assertProblem(await bench.call("/readyz"), 503, /draining/);
  assert.equal((await bench.call("/healthz")).body.draining, true);
  assert.equal((await bench.call(`/jobs/${id}`)).status, 200);
});
