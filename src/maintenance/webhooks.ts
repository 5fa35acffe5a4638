/**
 * Posts the outcomes of jobs to whoever asked for them, signed by Standard Webhooks, until they are
 * taken or the attempts are used up. Every process that works has one; the store hands each delivery
 * to one of them at a time. A process that dies in between has its deliveries taken over.
 *
 * Invariant: a delivery is over only after an answer of 2xx, or when nobody wants it any more.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import { deliveryRetryMs } from "../job/webhook.ts";
import type { Random } from "../lib/clock.ts";
import { messageOf } from "../lib/error_message.ts";
import { readCaFile } from "../lib/outbound/ca_file.ts";
import { explainAnswer, isSuccess } from "../lib/outbound/explain.ts";
import { sendRequest } from "../lib/outbound/request.ts";
import { type Answer, headerOf } from "../lib/outbound/response_reader.ts";
import { retryAfterMs } from "../lib/outbound/retry_after.ts";
import { publicUrl } from "../lib/outbound/url.ts";
import { TimeLimit } from "../lib/time_limit.ts";
import { newWebhookSecret, readWebhookSecrets } from "../lib/webhook_secret.ts";
import type { Queue } from "../queue/queue.ts";
import type { ClaimedDelivery, DeliveryOutcome } from "../store/deliveries.ts";
import type { Duty } from "./duty.ts";

export interface WebhookSenderOptions {
  readonly queue: Queue;
  /** Whether receivers may have addresses that are not public. */
  readonly allowsPrivate: boolean;
  readonly caFile: string | null;
  /** Null: the secret stands in the database. */
  readonly secretFile: string | null;
  readonly random: Random;
  /** Gets what is no fault of the store. */
  readonly onError: (error: unknown) => void;
  /** How long a receiver may take to answer. */
  readonly answerMs?: number;
}

/** Standard Webhooks asks for 15 to 30 seconds. */
const ANSWER_MS = 15_000;

/** Beyond the time for an answer: until others may take a delivery over. */
const CLAIM_MARGIN_MS = 5_000;

const MOST_UNDER_WAY = 16;

/** So that one receiver that hangs does not hold up the others. */
const MOST_PER_ORIGIN = 4;

/** Of an answer: enough to say what went wrong. */
const ANSWER_BYTES = 1_024;

/** Timers are cut to this: deliveries may wait for hours, and clocks may be set. */
const LONGEST_SLEEP_MS = 60_000;

/** Changes by others come in bursts, most of which are not about webhooks. */
const AFTER_CHANGE_MS = 50;

/** Until the store is asked again that could not be used, and a secret that could not be read. */
const RETRY_MS = 2_000;

/** The receiver wants no more of it. */
const GONE = 410;

export class WebhookSender implements Duty {
  readonly #options: WebhookSenderOptions;
  readonly #underWay = new Map<ClaimedDelivery, Promise<void>>();
  readonly #stopping = new AbortController();
  #subscription: Disposable | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changeTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;
  /** Why nothing can be sent; told once. */
  #stuckBy: string | null = null;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStopped = false;
    this.#subscription = this.#options.queue.store.watch(() => {
      this.#changeTimer ??= setTimeout(() => {
        this.#changeTimer = undefined;
        this.#wake();
      }, AFTER_CHANGE_MS);
    });
    this.#wake();
  }

  /** Sends what is due now, and waits for the answers. */
  async runOnce(): Promise<void> {
    await this.#look();
    await Promise.all(this.#underWay.values());
  }

  /** Ends what is under way, which others then send; resolves when nothing is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#subscription?.[Symbol.dispose]();
    clearTimeout(this.#timer);
    clearTimeout(this.#changeTimer);
    this.#changeTimer = undefined;
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#underWay.values());
  }

  #wake(): void {
    if (!this.#isStopped) this.#look();
  }

  #look(): Promise<void> {
    this.#running = this.#running.then(() => this.#work()).catch(this.#options.onError);
    return this.#running;
  }

  async #work(): Promise<void> {
    const { store, clock } = this.#options.queue;
    try {
      const nextAtMs = await store.nextDeliveryAtMs();
      if (nextAtMs === null || this.#stopping.signal.aborted) return;
      if (nextAtMs > clock()) return this.#sleep(nextAtMs - clock());
      // Whoever comes back looks again; so do we, should everything that is due be for the busy.
      this.#sleep(await this.#sendDue() ? 0 : RETRY_MS);
    } catch (error) {
      this.#sleep(RETRY_MS);
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  /** Whether anything was sent off. */
  async #sendDue(): Promise<boolean> {
    const { queue: { store, clock }, answerMs = ANSWER_MS } = this.#options;
    const limit = MOST_UNDER_WAY - this.#underWay.size;
    if (limit <= 0) return false;
    const secrets = await this.#secrets();
    if (secrets === null) return false;
    const nowMs = clock();
    const claimed = await store.claimDeliveries({
      nowMs,
      untilMs: nowMs + answerMs + CLAIM_MARGIN_MS,
      limit,
      limitPerOrigin: MOST_PER_ORIGIN,
      underWay: this.#countsByOrigin(),
    });
    for (const delivery of claimed) {
      const sending = this.#deliver(delivery, secrets).catch(this.#options.onError).finally(() => {
        this.#underWay.delete(delivery);
        this.#wake();
      });
      this.#underWay.set(delivery, sending);
    }
    return claimed.length > 0;
  }

  #countsByOrigin(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { origin } of this.#underWay.keys()) {
      counts.set(origin, (counts.get(origin) ?? 0) + 1);
    }
    return counts;
  }

  /** Null: they cannot be read now, which nobody needs an attempt to find out. */
  async #secrets(): Promise<readonly string[] | null> {
    const { queue: { store, clock, events }, secretFile } = this.#options;
    if (secretFile === null) return await store.webhookSecrets(newWebhookSecret(), clock());
    try {
      const secrets = readWebhookSecrets(secretFile);
      this.#stuckBy = null;
      return secrets;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#stuckBy) events.emit({ type: "webhooks.stuck", message });
      this.#stuckBy = message;
      return null;
    }
  }

  async #deliver(delivery: ClaimedDelivery, secrets: readonly string[]): Promise<void> {
    const { queue: { store, clock, events } } = this.#options;
    const outcome = await this.#send(delivery, secrets);
    try {
      const isOurs = await store.settleDelivery(delivery, outcome, clock());
      if (!isOurs || outcome.result === "released") return;
    } catch (error) {
      // It is sent once more when the claim has run out: at least once, not exactly once.
      if (error instanceof StoreUnavailableError) return;
      throw error;
    }
    events.emit({
      type: outcome.result === "delivered" ? "webhook.delivered" : "webhook.failed",
      deliveryId: delivery.id,
      jobId: delivery.jobId,
      url: publicUrl(delivery.url),
      attempt: delivery.attempts,
      status: outcome.status,
      ...("error" in outcome ? { error: outcome.error } : {}),
      ...("atMs" in outcome ? { retryAtMs: outcome.atMs } : {}),
    });
  }

  async #send(delivery: ClaimedDelivery, secrets: readonly string[]): Promise<DeliveryOutcome> {
    const { queue: { clock }, allowsPrivate, caFile, answerMs = ANSWER_MS } = this.#options;
    using limit = new TimeLimit(this.#stopping.signal, answerMs);
    try {
      const answer = await sendRequest({
        url: new URL(delivery.url),
        method: "POST",
        headers: await signedHeaders(delivery, secrets, clock()),
        body: new TextEncoder().encode(delivery.body),
      }, {
        signal: limit.signal,
        limitBytes: ANSWER_BYTES,
        allowsPrivate,
        caCerts: readCaFile(caFile),
      });
      return this.#judge(answer, delivery);
    } catch (error) {
      if (this.#stopping.signal.aborted) return { result: "released" };
      const reason = limit.isOver ? `no answer within ${answerMs / 1_000} s` : messageOf(error);
      return this.#again(delivery, { status: null, error: reason, leastMs: 0 });
    }
  }

  #judge(answer: Answer, delivery: ClaimedDelivery): DeliveryOutcome {
    const { status, headers } = answer;
    if (isSuccess(answer)) return { result: "delivered", status };
    const error = explainAnswer(answer);
    if (status === GONE) return { result: "failed", status, error };
    const date = headerOf(headers, "date");
    const nowMs = this.#options.queue.clock();
    const leastMs = retryAfterMs(headerOf(headers, "retry-after"), date, nowMs) ?? 0;
    return this.#again(delivery, { status, error, leastMs });
  }

  #again(
    { attempts }: ClaimedDelivery,
    { leastMs, ...failure }: { status: number | null; error: string; leastMs: number },
  ): DeliveryOutcome {
    const { random, queue: { clock } } = this.#options;
    const delayMs = deliveryRetryMs(attempts, random);
    if (delayMs === null) return { result: "failed", ...failure };
    return { result: "retry", ...failure, atMs: clock() + Math.max(delayMs, leastMs) };
  }

  #sleep(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.#wake(), Math.min(ms, LONGEST_SLEEP_MS));
  }
}

/** As https://www.standardwebhooks.com says; every secret that counts now signs. */
async function signedHeaders(
  { id, body }: ClaimedDelivery,
  secrets: readonly string[],
  nowMs: number,
): Promise<[string, string][]> {
  const { Webhook } = await import("standardwebhooks");
  const sentAt = new Date(nowMs);
  return [
    ["content-type", "application/json"],
    ["user-agent", "queuectl"],
    ["webhook-id", id],
    ["webhook-timestamp", String(Math.floor(nowMs / 1_000))],
    ["webhook-signature", secrets.map((one) => new Webhook(one).sign(id, sentAt, body)).join(" ")],
  ];
}
