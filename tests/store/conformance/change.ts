/** The promises of the changes that people ask for: cancel, requeue, delete, and the DLQ in bulk. */
import assert from "node:assert/strict";
import type { JobState } from "../../../src/job/state.ts";
import { STATES } from "../../../src/job/state.ts";
import type { Change, JobStore } from "../../../src/store/store.ts";
import { newExtras, newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  buryOne,
  bytesOf,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  listAll,
  settleOne,
  snapshot,
  type Suite,
} from "./harness.ts";

/** Brings the job "a" into each state. */
const INTO: Record<JobState, (store: JobStore) => Promise<unknown>> = {
  pending: () => Promise.resolve(),
  started: (store) => claimOne(store),
  processing: async (store) => store.begin([await claimOne(store)], HOLDER, T0),
  completed: async (store) =>
    settleOne(store, await claimOne(store), { event: "complete", result: "1" }),
  failed: async (store) =>
    settleOne(store, await claimOne(store), { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 9 }),
  dead: (store) => buryOne(store),
  cancelled: (store) => store.cancel("a", T0),
};

const LATER = T0 + 60_000;

export function changePromises({ test }: Suite): void {
  const expectations = {
    cancel: {
      pending: ["changed", "cancelled"],
      started: ["requested", "started"],
      processing: ["requested", "processing"],
      completed: ["refused", "completed"],
      failed: ["changed", "cancelled"],
      dead: ["refused", "dead"],
      cancelled: ["refused", "cancelled"],
    },
    requeue: {
      pending: ["refused", "pending"],
      started: ["refused", "started"],
      processing: ["refused", "processing"],
      completed: ["refused", "completed"],
      failed: ["refused", "failed"],
      dead: ["changed", "pending"],
      cancelled: ["changed", "pending"],
    },
    remove: {
      pending: ["changed", null],
      started: ["refused", "started"],
      processing: ["refused", "processing"],
      completed: ["changed", null],
      failed: ["changed", null],
      dead: ["changed", null],
      cancelled: ["changed", null],
    },
  } as const;

  for (const verb of ["cancel", "requeue", "remove"] as const) {
    for (const state of STATES) {
      const [result, after] = expectations[verb][state];
      test(`${verb}() of a job that is ${state}: ${result}`, async (store) => {
        await store.add([newJob({ id: "a" })], T0);
        await INTO[state](store);
        const before = await snapshot(store);
        const old = await find(store, "a");
        const change = verb === "remove"
          ? await store.remove("a", T0)
          : await store[verb]("a", LATER);
        assert.equal(change.result, result);
        const job = await store.find("a");
        assert.equal(job?.state ?? null, after);
        assert.deepEqual("job" in change && change.job, verb === "remove" ? old : job);
        if (result === "refused") assert.deepEqual(await snapshot(store), before);
      });
    }

    test(`${verb}() of an unknown job says that it is missing`, async (store) => {
      const change = verb === "remove" ? store.remove("nobody", T0) : store[verb]("nobody", T0);
      assert.deepEqual(await change, { result: "missing" });
    });
  }

  test("a cancelled job never runs", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await store.cancel("a", LATER);
    assert.deepEqual(await claimJobs(store, { nowMs: T0 + 1e9 }), []);
    const job = await find(store, "a");
    assert.deepEqual([job.finishedAtMs, job.updatedAtMs], [LATER, LATER]);
  });

  test("cancel() of a running job is told to its holder alone", async (store) => {
    await store.add(newJobs(3), T0);
    const mine = await claimJobs(store, { free: 2 });
    const other = await claimOne(store, { holder: "process-b" });
    await store.cancel(mine[1]!.id, LATER);
    await store.cancel(other.id, LATER);
    const lease = ({ seq, token }: { seq: number; token: number }) => ({ seq, token });
    assert.deepEqual(await store.cancelRequests(HOLDER), [lease(mine[1]!)]);
    assert.deepEqual(await store.cancelRequests("process-b"), [lease(other)]);
    assert.deepEqual(await store.cancelRequests("process-c"), []);
    assert.equal((await find(store, other.id)).cancelRequestedAtMs, LATER);
  });

  test("a request to stop is over when the attempt has ended", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    await store.cancel("a", T0);
    await settleOne(store, job, { event: "abort" });
    assert.deepEqual(await store.cancelRequests(HOLDER), []);
  });

  test("a requeued job is as good as new: due now, no failures, no wish to stop", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 1 })], T0);
    const job = await claimOne(store);
    await store.cancel("a", T0);
    await settleOne(store, job, { event: "abort" });
    await store.requeue("a", LATER);
    const { attempts, runAtMs, cancelRequestedAtMs, finishedAtMs, result, updatedAtMs } =
      await find(store, "a");
    assert.deepEqual(
      { attempts, runAtMs, cancelRequestedAtMs, finishedAtMs, result, updatedAtMs },
      {
        attempts: 0,
        runAtMs: LATER,
        cancelRequestedAtMs: null,
        finishedAtMs: null,
        result: null,
        updatedAtMs: LATER,
      },
    );
    const again = await claimOne(store, { nowMs: LATER });
    assert.deepEqual([again.attempts, again.token], [0, job.token + 1]);
    assert.deepEqual(await store.cancelRequests(HOLDER), []);
  });

  test("a requeued job keeps the history of its attempts", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const { seq } = await buryOne(store);
    await store.requeue("a", LATER);
    assert.equal((await store.attempts(seq)).length, 1);
  });

  test("remove() takes payload, attempts and output along", async (store) => {
    await store.add([newJob({ id: "a", payload: new Uint8Array(50_000) })], T0);
    const job = await claimOne(store);
    const output = [{ stream: "stdout", bytes: bytesOf("x") }] as const;
    await settleOne(store, job, { event: "bury", error: EXIT_ERROR }, { output });
    await store.remove("a", T0);
    assert.deepEqual(await store.attempts(job.seq), []);
    assert.deepEqual(await store.output(job), []);
    assert.notEqual((await store.payload(job.seq)).length, 50_000);
  });

  test("requeueDead() gives back dead jobs alone, at most as many as asked", async (store) => {
    await store.add(newJobs(5), T0);
    for (let turn = 0; turn < 5; turn++) await buryOne(store);
    await store.add([newJob({ id: "cancelled" })], T0);
    await store.cancel("cancelled", T0);
    assert.equal(await store.requeueDead(LATER, 3), 3);
    assert.equal((await store.stats(T0)).counts.dead, 2);
    assert.equal(await store.requeueDead(LATER, 3), 2);
    assert.equal(await store.requeueDead(LATER, 3), 0);
    assert.equal((await find(store, "cancelled")).state, "cancelled");
    const jobs = await claimJobs(store, { free: 9, nowMs: LATER });
    assert.deepEqual(jobs.map(({ attempts }) => attempts), [0, 0, 0, 0, 0]);
  });

  test("purgeDead() deletes dead jobs alone, with all that was theirs", async (store) => {
    await store.add(newJobs(4), T0);
    const dead = [];
    for (let turn = 0; turn < 3; turn++) dead.push(await buryOne(store));
    assert.equal(await store.purgeDead(2), 2);
    assert.equal(await store.purgeDead(2), 1);
    assert.equal(await store.purgeDead(2), 0);
    assert.deepEqual((await listAll(store)).map(({ state }) => state), ["pending"]);
    for (const { seq } of dead) assert.deepEqual(await store.attempts(seq), []);
  });

  test("requeue() can change what a job does, in one go with running it again", async (store) => {
    const large = JSON.stringify("x".repeat(5_000));
    for (const [id, payload] of [["small", '"before"'], ["large", large]] as const) {
      await store.add([newJob({ id, payload, maxRetries: 0 })], T0);
      const { seq } = (await buryOne(store))!;
      for (const next of ['"after"', JSON.stringify("y".repeat(6_000)), '"again"']) {
        const change = await store.requeue(id, T0 + 1, undefined, {
          payload: next,
          priority: 7,
          timeoutMs: 5_000,
          dueAtMs: T0 + 2,
        });
        assert.equal(change.result, "changed");
        assert.equal(await store.payload(seq), next);
        const job = (await store.find(id))!;
        const { priority, timeoutMs, maxRetries, runAtMs } = job;
        assert.deepEqual([priority, timeoutMs, maxRetries, runAtMs], [7, 5_000, 0, T0 + 2]);
        const refused = await store.requeue(id, T0 + 1, undefined, { payload: '"no"' });
        assert.equal(refused.result, "refused");
        assert.equal(await store.payload(seq), next, "a refused change changes nothing");
        await store.cancel(id, T0 + 3);
      }
    }
  });

  test("of many changes at once each is told what became of its own", async (store) => {
    const after = { ids: ["first"], on: "any" } as const;
    await store.add([newJob({ id: "running" }), newJob({ id: "first" })], T0);
    await claimOne(store);
    const waiting = newJob({ id: "waiting", extras: newExtras({ after }) });
    await store.add([waiting, newJob({ id: "plain" })], T0);
    const ids = ["plain", "nobody", "first", "plain", "running", "waiting"];
    const all = async (change: (id: string) => Promise<Change>) =>
      (await Promise.all(ids.map(change))).map(({ result }) => result);
    assert.deepEqual(await all((id) => store.cancel(id, T0)), [
      ...["changed", "missing", "changed", "refused", "requested", "changed"],
    ]);
    assert.deepEqual(await all((id) => store.requeue(id, T0)), [
      ...["changed", "missing", "changed", "refused", "refused", "changed"],
    ]);
    assert.deepEqual(await all((id) => store.remove(id, T0)), [
      ...["changed", "missing", "changed", "missing", "refused", "changed"],
    ]);
    assert.deepEqual((await listAll(store)).map(({ id }) => id), ["running"]);
  });
}
