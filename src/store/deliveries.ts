/**
 * The part of the store's seam that keeps webhooks: what is to be posted where, and what became of
 * it. Deliveries come into being in the transaction that ends their job; nothing here adds one.
 */
import type { Signature } from "./audit.ts";

export interface DeliveryStore {
  /** When the next delivery that waits is due; null: none waits. */
  nextDeliveryAtMs(): Promise<number | null>;

  /**
   * Takes deliveries that are due: nobody else gets them before `untilMs`. Whoever takes one and is
   * never heard of again has used up one of its attempts.
   */
  claimDeliveries(request: DeliveryClaim): Promise<ClaimedDelivery[]>;

  /** What became of an attempt. False: another process has taken the delivery since, or it is over. */
  settleDelivery(attempt: DeliveryLease, outcome: DeliveryOutcome, nowMs: number): Promise<boolean>;

  /** A page, newest first. */
  deliveries(query: DeliveryQuery): Promise<DeliveryPage>;
  /** With its body. */
  delivery(id: string): Promise<StoredDelivery | null>;
  /** Sends it again, at once and with a fresh set of attempts, whatever became of it. */
  replayDelivery(id: string, nowMs: number, signed?: Signature): Promise<StoredDelivery | null>;
  /** Deletes deliveries that were over before then, at most `limit` of them; returns how many. */
  pruneDeliveries(overSinceMs: number, limit: number): Promise<number>;

  /** The secrets that sign now, the newest first. Where there is none, `fresh` becomes the first. */
  webhookSecrets(fresh: string, nowMs: number): Promise<string[]>;
  /** `fresh` takes the place of the others, which go on signing until `untilMs`. */
  rotateWebhookSecret(
    fresh: string,
    times: { readonly nowMs: number; readonly untilMs: number },
    signed?: Signature,
  ): Promise<void>;
}

export const DELIVERY_STATES = ["waiting", "delivered", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface DeliveryClaim {
  readonly nowMs: number;
  readonly untilMs: number;
  readonly limit: number;
  /** How many of one origin may be under way. */
  readonly limitPerOrigin: number;
  /** How many of each are so now. */
  readonly underWay: ReadonlyMap<string, number>;
}

/** Proof of owning one attempt to deliver. */
export interface DeliveryLease {
  readonly number: number;
  /** Rises with every claim. */
  readonly token: number;
}

export interface ClaimedDelivery extends DeliveryLease {
  readonly id: string;
  readonly jobId: string;
  readonly url: string;
  /** Scheme, host and port of the URL. */
  readonly origin: string;
  readonly body: string;
  /** This one included. */
  readonly attempts: number;
}

export type DeliveryOutcome =
  | { readonly result: "delivered"; readonly status: number }
  | { readonly result: "failed"; readonly status: number | null; readonly error: string }
  | {
    readonly result: "retry";
    readonly status: number | null;
    readonly error: string;
    readonly atMs: number;
  }
  /** Given back unharmed: shutdown. */
  | { readonly result: "released" };

export interface Delivery {
  /** Order of creation. */
  readonly number: number;
  /** The `webhook-id`, the same for every attempt. */
  readonly id: string;
  readonly jobId: string;
  readonly event: string;
  readonly url: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When it is sent next, at the earliest; null: it is over. */
  readonly nextAtMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly lastAttemptAtMs: number | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
}

export interface StoredDelivery extends Delivery {
  /** JSON text. */
  readonly body: string;
}

export interface DeliveryQuery {
  readonly limit: number;
  readonly state?: DeliveryState;
  readonly jobId?: string;
  /** Only older ones. */
  readonly beforeNumber?: number;
}

export interface DeliveryPage {
  readonly deliveries: readonly Delivery[];
  /** Pass as `beforeNumber` for the next page; null: this was the last. */
  readonly nextNumber: number | null;
}
