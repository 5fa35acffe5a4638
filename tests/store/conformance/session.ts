/** The promises of what is kept beside jobs: workers, settings, the probe, the end of a session. */
import assert from "node:assert/strict";
import type { WorkerRecord } from "../../../src/store/store.ts";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { claimOne, HOLDER, settleOne, snapshot, type Suite } from "./harness.ts";

function worker(overrides: Partial<WorkerRecord> = {}): WorkerRecord {
  return {
    holder: HOLDER,
    label: "w-1",
    pid: 42,
    host: "here",
    processStart: "12345",
    role: "serve",
    status: "idle",
    restarts: 0,
    startedAtMs: T0,
    ...overrides,
  };
}

export function sessionPromises({ test }: Suite): void {
  test("workers() shows what processes said of their workers, and when", async (store) => {
    assert.deepEqual(await store.workers(), []);
    await store.saveWorkers([worker(), worker({ label: "w-2", restarts: 3 })], T0 + 5);
    await store.saveWorkers([worker({ holder: "process-b", role: "worker" })], T0 + 6);
    assert.deepEqual(await store.workers(), [
      { ...worker(), heartbeatAtMs: T0 + 5, jobId: null },
      { ...worker({ label: "w-2", restarts: 3 }), heartbeatAtMs: T0 + 5, jobId: null },
      { ...worker({ holder: "process-b", role: "worker" }), heartbeatAtMs: T0 + 6, jobId: null },
    ]);
  });

  test("workers() says which kinds each one runs, where it has said so", async (store) => {
    const kinds = ["count", "mail"];
    await store.saveWorkers([worker({ kinds }), worker({ label: "w-2" })], T0);
    const told = async () => (await store.workers()).map((one) => one.kinds);
    assert.deepEqual(await told(), [kinds, undefined]);
    await store.saveWorkers([worker({ kinds: ["count"] })], T0);
    assert.deepEqual(await told(), [["count"], undefined]);
  });

  test("saveWorkers() again refreshes", async (store) => {
    await store.saveWorkers([worker()], T0);
    await store.saveWorkers([worker({ status: "draining", restarts: 1 })], T0 + 9_000);
    assert.deepEqual(await store.workers(), [
      { ...worker({ status: "draining", restarts: 1 }), heartbeatAtMs: T0 + 9_000, jobId: null },
    ]);
  });

  test("workers() names the job that each one runs, while it runs", async (store) => {
    await store.saveWorkers([worker(), worker({ label: "w-2" })], T0);
    await store.saveWorkers([worker({ holder: "process-b" })], T0);
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store, { slots: ["w-2"] });
    const running = async () => (await store.workers()).map(({ jobId }) => jobId);
    assert.deepEqual(await running(), [null, "a", null]);
    await settleOne(store, job, { event: "complete", result: "1" });
    assert.deepEqual(await running(), [null, null, null]);
  });

  test("removeWorkers() forgets the workers of that process alone", async (store) => {
    await store.saveWorkers([worker(), worker({ label: "w-2" })], T0);
    await store.saveWorkers([worker({ holder: "process-b" })], T0);
    await store.removeWorkers(HOLDER);
    await store.removeWorkers("unknown");
    assert.deepEqual((await store.workers()).map(({ holder }) => holder), ["process-b"]);
  });

  test("settings are set, replaced, listed and unset", async (store) => {
    assert.deepEqual(await store.configAll(), new Map());
    await store.configSet("max-retries", "5");
    await store.configSet("backoff-base", "1.5");
    await store.configSet("max-retries", "6");
    assert.deepEqual(
      await store.configAll(),
      new Map([["backoff-base", "1.5"], ["max-retries", "6"]]),
    );
    assert.equal(await store.configUnset("max-retries"), true);
    assert.equal(await store.configUnset("max-retries"), false);
    assert.deepEqual(await store.configAll(), new Map([["backoff-base", "1.5"]]));
  });

  test("probe() writes, and changes nothing that can be seen", async (store) => {
    await store.add([newJob()], T0);
    const before = await snapshot(store);
    await store.probe(T0);
    await store.probe(T0 + 1);
    assert.deepEqual(await snapshot(store), before);
  });

  test("everything is there again when the store is opened anew", async (store, fresh) => {
    await store.add([newJob({ id: "a" })], T0);
    await settleOne(store, await claimOne(store), { event: "complete", result: '"kept"' });
    await store.configSet("max-retries", "5");
    const before = await snapshot(store);
    await store[Symbol.asyncDispose]();
    const again = await fresh.openAgain();
    assert.deepEqual(await snapshot(again), before);
    assert.deepEqual(await again.configAll(), new Map([["max-retries", "5"]]));
    await assert.rejects(store.find("a"), { code: "store-unavailable" });
    await assert.rejects(store.add([newJob()], T0), { code: "store-unavailable" });
    await store[Symbol.asyncDispose]();
  }, { isClosed: true });

  test("what was begun before the store is closed is written, not lost", async (store, fresh) => {
    const adding = store.add([newJob({ id: "last" })], T0);
    await store[Symbol.asyncDispose]();
    await adding;
    assert.ok(await (await fresh.openAgain()).find("last"));
  }, { isClosed: true });
}
