/** The promises of `reap()`: no job stays stuck under a lease that nobody honours. */
import assert from "node:assert/strict";
import { reapedDueAtMs } from "../../../src/job/outcome.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  BACKOFF,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  LEASE_MS,
  reap,
  settleOne,
  type Suite,
} from "./harness.ts";

const EXPIRY = T0 + LEASE_MS;
const HOUR_MS = 3_600_000;

export function reapPromises({ test }: Suite): void {
  test("reap() leaves a lease alone until it has expired", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await claimOne(store);
    assert.deepEqual(await reap(store, { nowMs: EXPIRY - 1 }), []);
    assert.equal((await find(store, "a")).state, "started");
    assert.equal((await reap(store, { nowMs: EXPIRY })).length, 1);
  });

  test("reap() leaves an expired lease alone while it has grace", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await claimOne(store);
    const nowMs = EXPIRY + HOUR_MS;
    assert.deepEqual(await reap(store, { nowMs, graceMs: HOUR_MS + 1 }), []);
    const [reaped] = await reap(store, { nowMs, graceMs: HOUR_MS });
    assert.equal(reaped?.id, "a");
    assert.equal((await find(store, "a")).updatedAtMs, nowMs, "only the expiry is seen so");
  });

  test("rebase() makes due what was due before the clock was set back", async (store) => {
    await store.add([newJob({ id: "now" }), newJob({ id: "released" })], T0);
    const jobs = await claimJobs(store, { free: 2 });
    for (const job of jobs) await settleOne(store, job, { event: "release" });
    const nowMs = T0 - HOUR_MS;
    assert.equal((await claimJobs(store, { free: 2, nowMs })).length, 0);
    assert.equal(await store.rebase(nowMs), 2);
    assert.equal(await store.rebase(nowMs), 0, "nothing is moved twice");
    assert.equal((await claimJobs(store, { free: 2, nowMs })).length, 2);
  });

  test("rebase() lets a retry wait for its backoff from now on", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    await settleOne(store, job, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 4_000 });
    const nowMs = T0 - HOUR_MS;
    assert.equal(await store.rebase(nowMs), 1);
    assert.equal((await find(store, "a")).runAtMs, nowMs + 4_000);
  });

  test("rebase() leaves jobs alone that wait for a time of their own", async (store) => {
    await store.add([newJob({ id: "later", runAtMs: T0 + 1 })], T0);
    await store.add([newJob({ id: "done" })], T0);
    assert.equal(await store.rebase(T0), 0, "the clock was not set at all");
    await store.rebase(T0 - HOUR_MS);
    assert.equal((await find(store, "later")).runAtMs, T0 + 1);
  });

  test("reap() counts an expired lease as a failed attempt and says so", async (store) => {
    await store.add([newJob({ id: "a", queue: "mail" })], T0);
    const job = await claimOne(store);
    await store.begin([job], HOLDER, T0);
    assert.deepEqual(await reap(store), [
      { id: "a", queue: "mail", worker: "w-1", state: "failed", attempts: 1 },
    ]);
    const stored = await find(store, "a");
    assert.equal(stored.state, "failed");
    assert.equal(stored.attempts, 1);
    assert.equal(stored.lastError?.code, "lapse");
    const [attempt] = await store.attempts(job.seq);
    assert.deepEqual(
      [
        attempt!.token,
        attempt!.attempt,
        attempt!.worker,
        attempt!.startedAtMs,
        attempt!.finishedAtMs,
      ],
      [job.token, 1, "w-1", T0, EXPIRY],
    );
    assert.equal(attempt!.outcome, "failed");
    assert.deepEqual(attempt!.error, stored.lastError);
  });

  test("a job whose lease ran out is claimable at once", async (store) => {
    await store.add([newJob()], T0);
    await claimOne(store);
    await reap(store, { nowMs: EXPIRY });
    const again = await claimOne(store, { nowMs: EXPIRY });
    assert.deepEqual([again.attempts, again.token], [1, 2]);
  });

  test("reap() takes back the leases of dead holders at once, and of nobody else", async (store) => {
    await store.add(newJobs(3), T0);
    const ids: string[] = [];
    for (const holder of ["dead-1", "alive", "dead-2"]) {
      ids.push((await claimOne(store, { holder })).id);
    }
    const reaped = await reap(store, {
      nowMs: T0 + 1,
      deadHolders: ["dead-1", "dead-2", "unknown"],
    });
    assert.deepEqual(reaped.map(({ id }) => id).sort(), [ids[0]!, ids[2]!].sort());
    assert.equal((await find(store, ids[1]!)).state, "started");
  });

  test("a job of a dead holder waits out its backoff, but never longer than its lease", async (store) => {
    for (const [failures, maxRetries] of [[0, 9], [3, 9], [7, 9]] as const) {
      const id = `after-${failures}`;
      await store.add([newJob({ id, maxRetries })], T0);
      for (let failure = 0; failure < failures; failure++) {
        await settleOne(store, await claimOne(store), {
          event: "fail",
          error: EXIT_ERROR,
          dueAtMs: T0,
        });
      }
      await claimOne(store, { holder: "gone" });
      const nowMs = T0 + 1_000;
      await reap(store, { nowMs, deadHolders: ["gone"] });
      const expected = reapedDueAtMs(
        { attempts: failures, leaseExpiresAtMs: EXPIRY },
        { nowMs, leaseMs: LEASE_MS, backoff: BACKOFF },
      );
      const { runAtMs } = await find(store, id);
      assert.equal(runAtMs, expected);
      assert.ok(runAtMs <= EXPIRY);
    }
  });

  test("a job whose lease ran out with no retries left is dead", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 0 })], T0);
    await claimOne(store);
    assert.deepEqual((await reap(store)).map(({ state }) => state), ["dead"]);
    const stored = await find(store, "a");
    assert.deepEqual([stored.state, stored.attempts, stored.finishedAtMs], ["dead", 1, EXPIRY]);
    assert.deepEqual(await claimJobs(store, { nowMs: T0 + 1e9 }), []);
  });

  test("a job that always kills its worker dies after max_retries + 1 attempts", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 2 })], T0);
    let nowMs = T0;
    const states: string[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      await claimOne(store, { nowMs });
      nowMs += LEASE_MS;
      states.push(...(await reap(store, { nowMs })).map(({ state }) => state));
    }
    assert.deepEqual(states, ["failed", "failed", "dead"]);
    assert.equal((await store.attempts((await find(store, "a")).seq)).length, 3);
  });

  test("a lapsed job that somebody asked to stop is cancelled, retries left or not", async (store) => {
    await store.add([newJob({ id: "a" }), newJob({ id: "b", maxRetries: 0 })], T0);
    await claimJobs(store, { free: 2 });
    for (const id of ["a", "b"]) await store.cancel(id, T0);
    const reaped = await reap(store);
    assert.deepEqual(reaped.map(({ state }) => state), ["cancelled", "cancelled"]);
    assert.deepEqual(await store.cancelRequests(HOLDER), []);
    assert.equal((await find(store, "a")).finishedAtMs, EXPIRY);
  });

  test("reap() takes back at most as many as asked, and the rest the next time", async (store) => {
    await store.add(newJobs(7), T0);
    await claimJobs(store, { free: 7 });
    const sizes: number[] = [];
    for (let turn = 0; turn < 4; turn++) sizes.push((await reap(store, { limit: 3 })).length);
    assert.deepEqual(sizes, [3, 3, 1, 0]);
  });

  test("reap() twice at once takes each lease back once", async (store) => {
    await store.add(newJobs(5), T0);
    await claimJobs(store, { free: 5 });
    const reaped = (await Promise.all([reap(store), reap(store)])).flat();
    assert.equal(reaped.length, 5);
    for (const { id } of reaped) assert.equal((await find(store, id)).attempts, 1);
  });

  test("reap() leaves waiting and finished jobs alone", async (store) => {
    await store.add(newJobs(4), T0);
    const [done, dead, cancelled] = await claimJobs(store, { free: 3 });
    await settleOne(store, done!, { event: "complete", result: "1" });
    await settleOne(store, dead!, { event: "bury", error: EXIT_ERROR });
    await settleOne(store, cancelled!, { event: "abort" });
    assert.deepEqual(await reap(store, { nowMs: T0 + 1e9, deadHolders: [HOLDER] }), []);
  });
}
