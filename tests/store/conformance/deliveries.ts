/** Webhooks: written with the outcome, taken by one, told at least once. */
import assert from "node:assert/strict";
import type { JobExtras } from "../../../src/job/job.ts";
import type { Outcome } from "../../../src/job/outcome.ts";
import type { ClaimedDelivery, DeliveryClaim } from "../../../src/store/deliveries.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { claimOne, EXIT_ERROR, reap, settleOne, type Suite } from "./harness.ts";

const URL = "https://hook.example/in?key=1";

function withCallback(url = URL): JobExtras {
  return {
    options: { callbackUrl: url },
    key: null,
    unique: null,
    after: null,
    fileId: null,
    schedule: null,
  };
}

/** Adds a job with a callback and ends it. */
async function end(store: JobStore, id: string, outcome: Outcome, url = URL): Promise<void> {
  await store.add([newJob({ id, extras: withCallback(url) })], T0);
  assert.equal(await settleOne(store, await claimOne(store), outcome), "settled");
}

const COMPLETE: Outcome = { event: "complete", result: '{"answer":42}' };

function claimDue(store: JobStore, overrides: Partial<DeliveryClaim> = {}) {
  return store.claimDeliveries({
    nowMs: T0,
    untilMs: T0 + 20_000,
    limit: 10,
    limitPerOrigin: 10,
    underWay: new Map(),
    ...overrides,
  });
}

async function claimDueOne(store: JobStore, nowMs = T0): Promise<ClaimedDelivery> {
  const claimed = await claimDue(store, { nowMs, untilMs: nowMs + 20_000 });
  assert.equal(claimed.length, 1);
  return claimed[0]!;
}

export function deliveryPromises({ test }: Suite): void {
  test("every way in which a job ends writes its webhook", async (store) => {
    await end(store, "done", COMPLETE);
    await end(store, "dead", { event: "bury", error: EXIT_ERROR });
    await end(store, "aborted", { event: "abort" });
    await store.add([newJob({ id: "cancelled", extras: withCallback() })], T0);
    await store.cancel("cancelled", T0);
    await store.add([newJob({ id: "deleted", extras: withCallback() })], T0);
    await store.remove("deleted", T0);
    await store.add([newJob({ id: "lapsed", maxRetries: 0, extras: withCallback() })], T0);
    await claimOne(store);
    assert.equal((await reap(store)).length, 1);

    const { deliveries } = await store.deliveries({ limit: 10 });
    assert.deepEqual(deliveries.map(({ jobId, event }) => `${jobId} ${event}`).reverse(), [
      "done job.completed",
      "dead job.dead",
      "aborted job.cancelled",
      "cancelled job.cancelled",
      "deleted job.cancelled",
      "lapsed job.dead",
    ]);
    assert.equal(new Set(deliveries.map(({ id }) => id)).size, 6);
    const body = JSON.parse((await store.delivery(deliveries.at(-1)!.id))!.body);
    assert.equal(body.type, "job.completed");
    assert.equal(body.timestamp, new Date(T0).toISOString());
    assert.equal(body.data.job_id, "done");
    assert.deepEqual(body.data.result, { answer: 42 });
    const dead = JSON.parse((await store.delivery(deliveries.at(-2)!.id))!.body);
    assert.deepEqual([dead.data.state, dead.data.status, dead.data.error, dead.data.attempts], [
      "dead",
      "failed",
      EXIT_ERROR.message,
      1,
    ]);
  });

  test("a failure with retries left, a lost lease and a plain job write no webhook", async (store) => {
    await store.add([newJob({ id: "plain" })], T0);
    await settleOne(store, await claimOne(store), COMPLETE);
    await end(store, "failed", { event: "fail", error: EXIT_ERROR, dueAtMs: T0 + 60_000 });
    await store.add([newJob({ id: "late", extras: withCallback() })], T0);
    const { seq, token } = await claimOne(store);
    const lost = await settleOne(store, { seq, token: token + 1 }, COMPLETE);
    assert.equal(lost, "lease-lost");
    assert.deepEqual((await store.deliveries({ limit: 10 })).deliveries, []);
    assert.equal(await store.nextDeliveryAtMs(), null);
  });

  test("a job that is requeued and ends again is told of again, under another id", async (store) => {
    await end(store, "again", { event: "bury", error: EXIT_ERROR });
    await store.requeue("again", T0);
    await settleOne(store, await claimOne(store), COMPLETE);
    const { deliveries } = await store.deliveries({ limit: 10, jobId: "again" });
    assert.deepEqual(deliveries.map(({ event }) => event), ["job.completed", "job.dead"]);
    assert.notEqual(deliveries[0]!.id, deliveries[1]!.id);
  });

  test(
    "of two processes one takes a delivery, the other when the claim has run out",
    async (store, fresh) => {
      await end(store, "job", COMPLETE);
      const other = await fresh.openAgain();
      assert.equal(await store.nextDeliveryAtMs(), T0);
      const [ours, theirs] = await Promise.all([claimDue(store), claimDue(other)]);
      assert.equal(ours.length + theirs.length, 1);
      assert.equal(await store.nextDeliveryAtMs(), T0 + 20_000);
      assert.deepEqual(await claimDue(other, { nowMs: T0 + 19_999 }), []);

      const second = await claimDueOne(other, T0 + 20_000);
      assert.equal(second.attempts, 2);
      const first = [...ours, ...theirs][0]!;
      const delivered = { result: "delivered", status: 200 } as const;
      assert.equal(await store.settleDelivery(first, delivered, T0), false);
      assert.equal(await other.settleDelivery(second, delivered, T0 + 5), true);
      assert.equal(await other.settleDelivery(second, delivered, T0 + 6), false);
      const kept = (await store.delivery(first.id))!;
      assert.deepEqual(
        [kept.state, kept.lastStatus, kept.finishedAtMs, kept.nextAtMs],
        ["delivered", 200, T0 + 5, null],
      );
    },
  );

  test("a delivery that failed waits, is over when it is given up, and comes back by replay", async (store) => {
    await end(store, "job", COMPLETE);
    const first = await claimDueOne(store);
    const retry = { result: "retry", status: 500, error: "no\0", atMs: T0 + 5_000 } as const;
    assert.equal(await store.settleDelivery(first, retry, T0), true);
    const waiting = (await store.delivery(first.id))!;
    assert.deepEqual([waiting.state, waiting.nextAtMs, waiting.lastError, waiting.lastStatus], [
      "waiting",
      T0 + 5_000,
      "no\0",
      500,
    ]);
    const second = await claimDueOne(store, T0 + 5_000);
    const failed = { result: "failed", status: null, error: "gone" } as const;
    await store.settleDelivery(second, failed, T0 + 5_000);
    assert.equal(await store.nextDeliveryAtMs(), null);
    assert.equal((await store.delivery(first.id))!.state, "failed");

    const replayed = await store.replayDelivery(first.id, T0 + 9_000, { by: "ann", atMs: 1 });
    assert.deepEqual([replayed!.state, replayed!.attempts], ["waiting", 0]);
    const third = await claimDueOne(store, T0 + 9_000);
    assert.deepEqual([third.id, third.attempts, third.body], [first.id, 1, first.body]);
    assert.equal((await store.audit({ limit: 1 }))[0]!.action, "webhook.replay");
    assert.equal(await store.replayDelivery("msg_none", T0), null);
  });

  test("a delivery that is given back at a shutdown costs no attempt and is due at once", async (store) => {
    await end(store, "job", COMPLETE);
    await store.settleDelivery(await claimDueOne(store), { result: "released" }, T0 + 1);
    assert.equal((await claimDueOne(store, T0 + 1)).attempts, 1);
  });

  test("a claim takes no more of one receiver than it may", async (store) => {
    for (const id of ["a", "b", "c"]) await end(store, id, COMPLETE, "https://slow.example/x");
    await end(store, "d", COMPLETE, "https://quick.example/x");
    const underWay = new Map([["https://slow.example", 1]]);
    const claimed = await claimDue(store, { limitPerOrigin: 2, underWay });
    assert.deepEqual(claimed.map(({ jobId }) => jobId), ["a", "d"]);
    assert.equal((await claimDue(store, { limit: 1 })).length, 1);
  });

  test("deleting a job deletes the webhooks that are over, and those that wait are still sent", async (store) => {
    await end(store, "over", COMPLETE);
    await store.settleDelivery(await claimDueOne(store), { result: "delivered", status: 204 }, T0);
    await end(store, "waits", COMPLETE);
    for (const id of ["over", "waits"]) await store.remove(id, T0);
    const { deliveries } = await store.deliveries({ limit: 10 });
    assert.deepEqual(deliveries.map(({ jobId }) => jobId), ["waits"]);
    assert.equal((await claimDueOne(store)).jobId, "waits");
  });

  test("deliveries are listed in pages, and pruned once they are over for long enough", async (store) => {
    for (const id of ["a", "b", "c"]) await end(store, id, COMPLETE);
    const page = await store.deliveries({ limit: 2 });
    assert.deepEqual(page.deliveries.map(({ jobId }) => jobId), ["c", "b"]);
    const next = await store.deliveries({ limit: 2, beforeNumber: page.nextNumber! });
    assert.deepEqual([next.deliveries.length, next.nextNumber], [1, null]);
    for (const one of await claimDue(store, { limit: 2 })) {
      await store.settleDelivery(one, { result: "delivered", status: 200 }, T0);
    }
    assert.equal((await store.deliveries({ limit: 9, state: "delivered" })).deliveries.length, 2);
    assert.equal(await store.pruneDeliveries(T0, 10), 0);
    assert.equal(await store.pruneDeliveries(T0 + 1, 1), 1);
    assert.equal(await store.pruneDeliveries(T0 + 1, 10), 1);
    assert.equal((await store.deliveries({ limit: 9 })).deliveries.length, 1);
  });

  test(
    "the first secret stays, and one that was replaced signs until its time is over",
    async (store, fresh) => {
      assert.deepEqual(await store.webhookSecrets("one", T0), ["one"]);
      assert.deepEqual(await (await fresh.openAgain()).webhookSecrets("two", T0), ["one"]);
      const times = { nowMs: T0, untilMs: T0 + 1_000 };
      await store.rotateWebhookSecret("three", times, { by: "ann", atMs: T0 });
      assert.deepEqual(await store.webhookSecrets("x", T0 + 999), ["three", "one"]);
      assert.deepEqual(await store.webhookSecrets("x", T0 + 1_000), ["three"]);
      const [entry] = await store.audit({ limit: 1 });
      assert.equal(entry!.action, "webhook.rotate");
      assert.ok(!JSON.stringify(entry).includes("three"));
    },
  );
}
