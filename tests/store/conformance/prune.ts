/** The promises of pruning: what goes, what stays, what is kept right. */
import assert from "node:assert/strict";
import { type JobExtras, NO_EXTRAS } from "../../../src/job/job.ts";
import type { PruneStep } from "../../../src/store/prune.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { buryOne, claimJobs, claimOne, HOLDER, settleOne, type Suite } from "./harness.ts";

const DAY = 86_400_000;

/** Looks at everything that ended before the moment, by default all of it. */
function step(overrides: Partial<PruneStep> = {}): PruneStep {
  return {
    state: "completed",
    endedBeforeMs: Infinity,
    most: Infinity,
    afterSeq: 0,
    limit: 100,
    nowMs: T0 + 100 * DAY,
    isDry: false,
    ...overrides,
  };
}

/** Adds a job and completes it so long after {@link T0}. */
async function completed(
  store: JobStore,
  { afterMs = 0, addedMs = afterMs, extras = null }: {
    afterMs?: number;
    addedMs?: number;
    extras?: JobExtras | null;
  } = {},
): Promise<string> {
  const job = newJob({ runAtMs: T0 + addedMs, extras });
  await store.add([job], T0 + addedMs);
  const leased = await claimOne(store, { nowMs: T0 + afterMs });
  await settleOne(store, leased, { event: "complete", result: '"done"' }, { nowMs: T0 + afterMs });
  return job.id;
}

async function idsOf(store: JobStore): Promise<string[]> {
  return (await store.list({ limit: 1_000 })).jobs.map(({ id }) => id).toReversed();
}

export function prunePromises({ test }: Suite): void {
  test("prune() deletes what ended before the moment, and nothing else", async (store) => {
    const old = [await completed(store), await completed(store, { afterMs: DAY - 1 })];
    const young = [
      await completed(store, { afterMs: DAY }),
      await completed(store, { afterMs: DAY + 1 }),
    ];
    const { jobs, nextSeq, workMs } = await store.prune(step({ endedBeforeMs: T0 + DAY }));
    assert.deepEqual({ jobs, nextSeq }, { jobs: 2, nextSeq: null });
    assert.ok(workMs >= 0);
    assert.deepEqual(await idsOf(store), young);
    for (const id of old) assert.equal(await store.find(id), null);
  });

  test("prune() counts from the end of a job, not from when it was added", async (store) => {
    const early = await completed(store, { addedMs: 0, afterMs: 3 * DAY });
    await completed(store, { addedMs: 1, afterMs: 3 * DAY - 5 });
    const { jobs } = await store.prune(step({ endedBeforeMs: T0 + 3 * DAY }));
    assert.equal(jobs, 1);
    assert.deepEqual(await idsOf(store), [early]);
  });

  test("prune() touches one state, and never a job that is not finished", async (store) => {
    const done = await completed(store);
    const dead = newJob();
    await store.add([dead], T0);
    await buryOne(store);
    const waiting = newJobs(2);
    await store.add(waiting, T0);
    await store.cancel(waiting[0]!.id, T0);
    const [running] = await claimJobs(store);
    const later = newJob({ runAtMs: T0 + DAY });
    await store.add([later], T0);
    assert.equal((await store.prune(step({ state: "dead" }))).jobs, 1);
    assert.deepEqual(await idsOf(store), [done, waiting[0]!.id, running!.id, later.id]);
    assert.equal((await store.prune(step({ state: "cancelled" }))).jobs, 1);
    assert.equal((await store.prune(step())).jobs, 1);
    assert.deepEqual(await idsOf(store), [running!.id, later.id]);
    assert.equal(running!.id, waiting[1]!.id);
  });

  test("prune() takes attempts, output, large payloads and files along", async (store) => {
    const staged = { role: "input", name: "a", mediaType: null, expectedBytes: 10 } as const;
    const file = await store.beginFile(staged, T0);
    await store.appendFile({ file, n: 0, bytes: new Uint8Array(10) }, T0);
    const extras = { ...NO_EXTRAS, fileId: file };
    const job = newJob({ payload: JSON.stringify("x".repeat(5_000)), extras });
    await store.add([job], T0);
    const first = await claimOne(store);
    const error = { code: "exit", message: "1" } as const;
    await settleOne(store, first, { event: "fail", error, dueAtMs: T0 });
    const second = await claimOne(store);
    const output = [{ stream: "stdout", bytes: new Uint8Array([65]) }] as const;
    await settleOne(store, second, { event: "complete", result: "1" }, { output });
    const { seq } = (await store.find(job.id))!;
    assert.equal((await store.prune(step())).jobs, 1);
    assert.deepEqual(await store.attempts(seq), []);
    assert.deepEqual(await store.output({ seq, token: second.token }), []);
    assert.deepEqual(await store.files(seq), []);
    assert.equal(await store.sweepFiles(T0), true, "its bytes are nobody's, and are swept");
    assert.equal(await store.sweepFiles(T0), false);
    assert.equal(await store.filePiece(file, 0), null);
  });

  test("prune() goes on where it ended, and looks at no more than it is told", async (store) => {
    const jobs = newJobs(25);
    await store.add(jobs, T0);
    const leased = await claimJobs(store, { free: 25 });
    const outcome = { event: "complete", result: "1" } as const;
    await store.settle(leased.map(({ seq, token }) => ({ seq, token, outcome })), HOLDER, T0);
    const steps: number[] = [];
    for (let afterSeq: number | null = 0; afterSeq !== null;) {
      const progress = await store.prune(step({ afterSeq, limit: 10 }));
      steps.push(progress.jobs);
      afterSeq = progress.nextSeq;
    }
    assert.deepEqual(steps, [10, 10, 5]);
    assert.deepEqual(await idsOf(store), []);
  });

  test("prune() deletes the oldest where only so many are to go", async (store) => {
    const ids = [await completed(store), await completed(store), await completed(store)];
    assert.equal((await store.prune(step({ most: 2 }))).jobs, 2);
    assert.deepEqual(await idsOf(store), ids.slice(2));
  });

  test("prune() that only counts deletes nothing", async (store) => {
    await completed(store);
    await completed(store);
    assert.equal((await store.prune(step({ isDry: true }))).jobs, 2);
    assert.equal((await idsOf(store)).length, 2);
  });

  test("prune() keeps what an unfinished job has waited for, and lets go of it then", async (store) => {
    const [one, other] = newJobs(2);
    await store.add([one!, other!], T0);
    const after = { ids: [one!.id, other!.id], on: "success" } as const;
    const dependent = newJob({ extras: { ...NO_EXTRAS, after } });
    await store.add([dependent], T0);
    const first = await claimOne(store);
    await settleOne(store, first, { event: "complete", result: "1" });
    assert.equal((await store.prune(step())).jobs, 0, "the dependent still waits for the other");
    const second = await claimOne(store);
    await settleOne(store, second, { event: "complete", result: "1" });
    assert.equal((await store.prune(step())).jobs, 0, "the dependent has not run yet");
    const last = await claimOne(store);
    assert.equal(last.id, dependent.id);
    assert.equal((await store.prune(step())).jobs, 0, "the dependent is running");
    await settleOne(store, last, { event: "complete", result: "1" });
    assert.equal((await store.prune(step())).jobs, 3);
  });

  test("prune() keeps a job whose outcome is not delivered yet, and lets go of it then", async (store) => {
    await completed(store, {
      extras: { ...NO_EXTRAS, options: { callbackUrl: "https://hook.example/" } },
    });
    assert.equal((await store.prune(step())).jobs, 0, "nobody was told of its end");
    const nowMs = T0 + 1_000;
    const [delivery] = await store.claimDeliveries({
      ...{ nowMs, untilMs: nowMs + 20_000, limit: 1, limitPerOrigin: 1, underWay: new Map() },
    });
    assert.equal((await store.prune(step())).jobs, 0, "its delivery is under way");
    await store.settleDelivery(delivery!, { result: "delivered", status: 204 }, nowMs);
    assert.equal((await store.prune(step())).jobs, 1);
  });

  test("jobs added by a clock that was ahead do not keep older ones from going", async (store) => {
    await completed(store, { afterMs: 200 * DAY });
    await completed(store, { afterMs: 0 });
    const { jobs } = await store.prune(
      step({ endedBeforeMs: T0 + 50 * DAY, nowMs: T0 + 60 * DAY }),
    );
    assert.equal(jobs, 1);
  });

  test(
    "a turn to prune is somebody's once in a period, also when the clock was set back",
    async (store, fresh) => {
      const other = await fresh.openAgain();
      assert.equal(await store.takePruneTurn(T0, 1_000), true);
      assert.equal(await other.takePruneTurn(T0 + 999, 1_000), false);
      assert.equal(await other.takePruneTurn(T0 + 1_000, 1_000), true);
      assert.equal(await store.takePruneTurn(T0 + 1_001, 1_000), false);
      assert.equal(await store.takePruneTurn(T0 - DAY, 1_000), true);
      const turns = [store, other].map((one) => one.takePruneTurn(T0, 1_000));
      assert.deepEqual((await Promise.all(turns)).toSorted(), [false, true]);
    },
  );

  test("size() tells what the store takes; shrink() comes to an end", async (store) => {
    const empty = await store.size();
    const payload = JSON.stringify(Array.from({ length: 9_000 }, () => Math.random()));
    await store.add(newJobs(20, { payload }), T0);
    const full = await store.size();
    assert.ok(full.bytes > empty.bytes + 1_000_000, JSON.stringify({ empty, full }));
    while ((await store.shrink(1_000_000)).unusedBytes > 0) { /* the next step */ }
    await store.settleSize();
    assert.equal((await store.list({ limit: 100 })).jobs.length, 20);
  });

  test("who begins to prune stands in the audit log", async (store) => {
    await store.note("prune", "completed older than 7d", { by: "cli:ann", atMs: T0 });
    const [entry] = await store.audit({ limit: 1 });
    assert.deepEqual([entry!.action, entry!.target, entry!.by], [
      "prune",
      "completed older than 7d",
      "cli:ann",
    ]);
  });
}
