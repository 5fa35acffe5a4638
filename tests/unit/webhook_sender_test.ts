/** Proves how webhooks are sent: signed, at least once, and to whom. */
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { DELIVERY_ATTEMPTS, deliveryRetryMs, webhookBody } from "../../src/job/webhook.ts";
import { newId } from "../../src/lib/ids.ts";
import { WebhookSender, type WebhookSenderOptions } from "../../src/maintenance/webhooks.ts";
import { Queue } from "../../src/queue/queue.ts";
import type { QueueEvent } from "../../src/queue/events.ts";
import { Webhooks } from "../../src/queue/webhooks.ts";
import { count } from "../../src/handlers/count.ts";
import { eventually } from "../helpers/eventually.ts";
import { Receiver } from "../helpers/receiver.ts";
import { tempStore } from "../helpers/temp_store.ts";

/** A queue with a sender, whose clock a test may move. */
async function bench(options: Partial<WebhookSenderOptions> = {}) {
  const temp = await tempStore();
  const time = { aheadMs: 0 };
  const queue = new Queue({
    store: temp.store,
    clock: () => Date.now() + time.aheadMs,
    newId,
    kinds: new Map([["count", count.parsePayload]]),
    maxRetries: 3,
    timeoutMs: null,
    cwd: null,
    workerTimeoutMs: 1_000,
  });
  const events: QueueEvent[] = [];
  queue.events.subscribe((event) => void events.push(event));
  const errors: unknown[] = [];
  const newSender = () =>
    new WebhookSender({
      queue,
      allowsPrivate: true,
      caFile: null,
      secretFile: null,
      random: () => 0.5,
      onError: (error) => void errors.push(error),
      ...options,
    });
  return {
    queue,
    events,
    time,
    newSender,
    sender: newSender(),
    webhooks: new Webhooks(queue),
    /** Adds a job with this callback and cancels it: an outcome. */
    async endOne(url: string): Promise<string> {
      const { id } = await queue.add({ kind: "count", payload: "", callback_url: url });
      await queue.cancel(id);
      return id;
    },
    async only() {
      const { deliveries } = await temp.store.deliveries({ limit: 10 });
      assert.equal(deliveries.length, 1);
      return deliveries[0]!;
    },
    async [Symbol.asyncDispose]() {
      assert.deepEqual(errors, []);
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a webhook is signed so that the library of Standard Webhooks takes it", async () => {
  await using receiver = new Receiver(() => new Response(null, { status: 204 }));
  await using b = await bench();
  const id = await b.endOne(receiver.url("/in?key=secret"));
  await b.sender.runOnce();

  const [request] = receiver.received;
  assert.equal(request!.method, "POST");
  assert.equal(request!.path, "/in?key=secret");
  assert.equal(request!.headers.get("content-type"), "application/json");
  const headers = Object.fromEntries(request!.headers);
  const verified = new Webhook(await b.webhooks.secret()).verify(request!.body, headers);
  const { type, data } = verified as { type: string; data: Record<string, unknown> };
  assert.equal(type, "job.cancelled");
  assert.equal(data["job_id"], id);
  const stranger = new Webhook(`whsec_${btoa("x".repeat(32))}`);
  assert.throws(() => stranger.verify(request!.body, headers));

  const delivery = await b.only();
  assert.equal(request!.headers.get("webhook-id"), delivery.id);
  assert.deepEqual([delivery.state, delivery.attempts, delivery.lastStatus], ["delivered", 1, 204]);
  const sent = b.events.find(({ type }) => type === "webhook.delivered");
  assert.ok(!JSON.stringify(sent).includes("secret"), "the query of the URL is not logged");
});

Deno.test("after a rotation both secrets sign, for a day", async () => {
  await using receiver = new Receiver();
  await using b = await bench();
  const old = await b.webhooks.secret();
  const fresh = await b.webhooks.rotateSecret();
  assert.equal(await b.webhooks.secret(), fresh);
  await b.endOne(receiver.url());
  await b.sender.runOnce();
  const { body, headers } = receiver.received[0]!;
  for (const secret of [old, fresh]) new Webhook(secret).verify(body, Object.fromEntries(headers));

  b.time.aheadMs = 25 * 3_600_000;
  await b.endOne(receiver.url());
  await b.sender.runOnce();
  assert.equal(receiver.received[1]!.headers.get("webhook-signature")!.split(" ").length, 1);
});

Deno.test("webhook-secret-file names the secrets; one that cannot be used stops webhooks, not time", async () => {
  await using receiver = new Receiver();
  const file = await Deno.makeTempFile();
  await using b = await bench({ secretFile: file });
  await b.endOne(receiver.url());
  await Deno.writeTextFile(file, "not a secret");
  await b.sender.runOnce();
  await b.sender.runOnce();
  assert.deepEqual(receiver.received, []);
  const [stuck, ...more] = b.events.filter(({ type }) => type === "webhooks.stuck");
  assert.deepEqual(more, []);
  assert.match(JSON.stringify(stuck), /expected whsec_/);
  assert.ok(!JSON.stringify(stuck).includes("not a secret"));
  assert.equal((await b.only()).attempts, 0);

  const secret = `whsec_${btoa("a".repeat(32))}`;
  await Deno.writeTextFile(file, `${secret}\n`);
  await b.sender.runOnce();
  const { body, headers } = receiver.received[0]!;
  new Webhook(secret).verify(body, Object.fromEntries(headers));
  await Deno.remove(file);
});

Deno.test("a webhook that is not taken is sent again with the same id, later and later, then given up", async () => {
  await using receiver = new Receiver(() => new Response("not now", { status: 500 }));
  await using b = await bench();
  await b.endOne(receiver.url());
  for (let attempt = 1; attempt <= DELIVERY_ATTEMPTS; attempt++) {
    await b.sender.runOnce();
    assert.equal(receiver.received.length, attempt);
    const { state, nextAtMs, lastError } = await b.only();
    assert.equal(lastError, "HTTP 500 Internal Server Error: not now");
    assert.equal(state, attempt < DELIVERY_ATTEMPTS ? "waiting" : "failed");
    if (nextAtMs === null) break;
    await b.sender.runOnce(); // too early
    assert.equal(receiver.received.length, attempt);
    b.time.aheadMs += nextAtMs - b.queue.clock();
  }
  const ids = receiver.received.map(({ headers }) => headers.get("webhook-id"));
  assert.equal(new Set(ids).size, 1);

  receiver.reply = () => new Response();
  await b.webhooks.replay(ids[0]!);
  await b.sender.runOnce();
  assert.equal((await b.only()).state, "delivered");
  await assert.rejects(() => b.webhooks.replay("msg_none"), /there is no webhook with the id/);
});

Deno.test("Retry-After puts a webhook off, and 410 ends it at once", async () => {
  const replies = [
    () => new Response(null, { status: 503, headers: { "retry-after": "3600" } }),
    () => new Response(null, { status: 410 }),
  ];
  await using receiver = new Receiver(() => replies.shift()!());
  await using b = await bench();
  await b.endOne(receiver.url());
  await b.sender.runOnce();
  const waitMs = (await b.only()).nextAtMs! - b.queue.clock();
  assert.ok(waitMs > 3_590_000 && waitMs <= 3_600_000, String(waitMs));
  b.time.aheadMs += 3_600_000;
  await b.sender.runOnce();
  assert.deepEqual((await b.only()).state, "failed");
});

Deno.test("webhooks follow no redirect and call no private address unless that is allowed", async () => {
  await using target = new Receiver();
  await using redirector = new Receiver(() =>
    new Response(null, { status: 307, headers: { location: target.url() } })
  );
  await using b = await bench();
  await b.endOne(redirector.url());
  await b.sender.runOnce();
  assert.match((await b.only()).lastError!, /redirects are not followed/);
  await using strict = await bench({ allowsPrivate: false });
  await strict.endOne(target.url());
  await strict.sender.runOnce();
  assert.match((await strict.only()).lastError!, /only public ones are called/);
  assert.deepEqual(target.received, []);
});

Deno.test("a receiver that hangs is given up in time, and does not hold up the others", async () => {
  await using hanging = new Receiver((_request, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(new Response())))
  );
  await using quick = new Receiver();
  await using b = await bench({ answerMs: 2_000 });
  for (let n = 0; n < 20; n++) await b.endOne(hanging.url());
  await b.endOne(quick.url());
  b.sender.start();
  await eventually(() => quick.received.length === 1, { what: "the quick one was told" });
  const isOneGivenUp = () =>
    b.events.some((event) => "error" in event && event.error === "no answer within 2 s");
  assert.ok(hanging.received.length <= 8 || isOneGivenUp(), "only so many at once");
  await eventually(isOneGivenUp, { what: "the hanging one was given up" });
  await b.sender.stop();
});

Deno.test("two senders share the work: each outcome arrives once", async () => {
  await using receiver = new Receiver();
  await using b = await bench();
  const other = b.newSender();
  b.sender.start();
  other.start();
  for (let n = 0; n < 30; n++) await b.endOne(receiver.url());
  await eventually(() => receiver.received.length >= 30, { what: "all outcomes arrived" });
  await Promise.all([b.sender.stop(), other.stop()]);
  assert.equal(new Set(receiver.received.map(({ headers }) => headers.get("webhook-id"))).size, 30);
  assert.equal(receiver.received.length, 30);
});

Deno.test("a sender that is stopped gives back what it was sending, at no cost", async () => {
  await using receiver = new Receiver((_request, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(new Response())))
  );
  await using b = await bench();
  await b.endOne(receiver.url());
  b.sender.start();
  await eventually(() => receiver.received.length === 1, { what: "the webhook was under way" });
  await b.sender.stop();
  const { state, attempts } = await b.only();
  assert.deepEqual([state, attempts], ["waiting", 0]);
  receiver.reply = () => new Response();
  await b.newSender().runOnce();
  assert.equal((await b.only()).state, "delivered");
});

Deno.test("deliveryRetryMs() spreads a day's attempts, and webhookBody() leaves large results out", () => {
  const delays = Array.from(
    { length: DELIVERY_ATTEMPTS },
    (_, n) => deliveryRetryMs(n + 1, () => 0.5),
  );
  assert.deepEqual(delays.slice(0, 3), [5_000, 30_000, 120_000]);
  assert.equal(delays.at(-1), null);
  assert.equal(deliveryRetryMs(1, () => 0), 4_000);
  assert.ok(delays.reduce((sum: number, ms) => sum + (ms ?? 0), 0) > 86_400_000);

  const job = {
    id: "a",
    kind: "count",
    queue: "default",
    attempts: 0,
    maxRetries: 3,
    result: JSON.stringify("x".repeat(100_000)),
    error: null,
    createdAtMs: 0,
    startedAtMs: 0,
  };
  const { data } = JSON.parse(webhookBody(job, "completed", 0));
  assert.deepEqual([data.result, data.result_omitted], [null, true]);
});
