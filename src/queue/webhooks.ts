/**
 * Webhooks as people use them: looked at, sent again, and the secret that signs them. Owns their
 * names in JSON; sends nothing.
 */
import { DeliveryNotFoundError } from "../job/errors.ts";
import { isoTime } from "../lib/clock.ts";
import { publicUrl } from "../lib/outbound/url.ts";
import { newWebhookSecret } from "../lib/webhook_secret.ts";
import type { Delivery, DeliveryPage, DeliveryQuery, StoredDelivery } from "../store/deliveries.ts";
import type { Queue } from "./queue.ts";
import type { Json } from "./views.ts";

/** How long a secret that was replaced goes on signing. */
export const OLD_SECRET_MS = 24 * 3_600_000;

/** The pattern of a delivery's id. */
const DELIVERY_ID = /^msg_[0-9a-f]{32}$/;

export class Webhooks {
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  list(query: DeliveryQuery): Promise<DeliveryPage> {
    return this.#queue.store.deliveries(query);
  }

  /** @throws {DeliveryNotFoundError} */
  async find(id: string): Promise<StoredDelivery> {
    const delivery = DELIVERY_ID.test(id) ? await this.#queue.store.delivery(id) : null;
    if (delivery === null) throw new DeliveryNotFoundError(id);
    return delivery;
  }

  /** Sends it again, under the same id and with a fresh set of attempts. Throws likewise. */
  async replay(id: string, by?: string): Promise<StoredDelivery> {
    await this.find(id);
    const { store, clock } = this.#queue;
    const delivery = await store.replayDelivery(id, clock(), this.#queue.sign(by));
    if (delivery === null) throw new DeliveryNotFoundError(id);
    return delivery;
  }

  /** The secret that signs webhooks; it is made when there is none. */
  async secret(): Promise<string> {
    const { store, clock } = this.#queue;
    return (await store.webhookSecrets(newWebhookSecret(), clock()))[0]!;
  }

  /** Makes a new secret; those before it go on signing for a day. */
  async rotateSecret(): Promise<string> {
    const { store, clock } = this.#queue;
    const fresh = newWebhookSecret();
    const nowMs = clock();
    const times = { nowMs, untilMs: nowMs + OLD_SECRET_MS };
    await store.rotateWebhookSecret(fresh, times, this.#queue.sign());
    return fresh;
  }
}

/** For lists: without the body, and without the query of the URL, which may be secret. */
export function deliveryView(delivery: Delivery): Json {
  return {
    id: delivery.id,
    job_id: delivery.jobId,
    type: delivery.event,
    url: publicUrl(delivery.url),
    state: delivery.state,
    attempts: delivery.attempts,
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    last_attempt_at: isoTime(delivery.lastAttemptAtMs),
    next_attempt_at: isoTime(delivery.nextAtMs),
    created_at: isoTime(delivery.createdAtMs),
    finished_at: isoTime(delivery.finishedAtMs),
  };
}

/** With what is sent. */
export function wholeDeliveryView(delivery: StoredDelivery): Json {
  return { ...deliveryView(delivery), body: JSON.parse(delivery.body) };
}
