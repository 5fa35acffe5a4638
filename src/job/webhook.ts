/**
 * What is told of a job's outcome, and when it is told again to somebody who did not listen. Pure;
 * sends nothing. The shape is that of Standard Webhooks: `{type, timestamp, data}`.
 */
import type { Random } from "../lib/clock.ts";
import { isoTime } from "../lib/clock.ts";
import type { AttemptError } from "./job.ts";
import { HTTP_STATUS_OF } from "./state.ts";

/** The states that are told of. */
export type ToldState = "completed" | "dead" | "cancelled";

export const WEBHOOK_EVENTS = {
  completed: "job.completed",
  dead: "job.dead",
  cancelled: "job.cancelled",
} as const satisfies Record<ToldState, string>;

/** A job that has ended. */
export interface EndedJob {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  /** Failed attempts. */
  readonly attempts: number;
  readonly maxRetries: number;
  /** JSON text. */
  readonly result: string | null;
  readonly error: AttemptError | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
}

/** Results of more than so many characters are asked for, not told. */
const RESULT_CHARACTERS = 64 * 1024;

/** The body of the webhook, as it is sent and signed. */
export function webhookBody(job: EndedJob, state: ToldState, nowMs: number): string {
  const hasResult = state === "completed" && job.result !== null;
  const isTold = hasResult && job.result!.length <= RESULT_CHARACTERS;
  return JSON.stringify({
    type: WEBHOOK_EVENTS[state],
    timestamp: isoTime(nowMs),
    data: {
      job_id: job.id,
      kind: job.kind,
      queue: job.queue,
      state,
      status: HTTP_STATUS_OF[state],
      attempts: job.attempts,
      max_retries: job.maxRetries,
      created_at: isoTime(job.createdAtMs),
      started_at: isoTime(job.startedAtMs),
      finished_at: isoTime(nowMs),
      ...(hasResult ? { result: isTold ? JSON.parse(job.result!) : null } : {}),
      ...(hasResult && !isTold ? { result_omitted: true } : {}),
      ...(state !== "completed" && job.error !== null
        ? { error: job.error.message, error_code: job.error.code }
        : {}),
    },
  });
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The pauses between the attempts to deliver: about 28 hours in all. */
const RETRY_DELAYS_MS = [
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  8 * HOUR_MS,
  12 * HOUR_MS,
] as const;

/** Receivers that come back are not all called in the same moment. */
const JITTER = 0.2;

/** How often a delivery is tried before it counts as failed. */
export const DELIVERY_ATTEMPTS = RETRY_DELAYS_MS.length + 1;

/** The pause after failed attempt number `attempts` (counted from 1); null: it was the last one. */
export function deliveryRetryMs(attempts: number, random: Random): number | null {
  const delayMs = RETRY_DELAYS_MS[attempts - 1];
  if (delayMs === undefined) return null;
  return Math.round(delayMs * (1 + JITTER * (2 * random() - 1)));
}
