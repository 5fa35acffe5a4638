/** From rows of `deliveries` to what the seam speaks of. */
import type { EndedJob } from "../../job/webhook.ts";
import type { ClaimedDelivery, Delivery, DeliveryState } from "../deliveries.ts";
import { errorFromText, optionsFromText } from "./rows.ts";

/** How many that are due are looked at to find some whose receiver is not busy. */
export const CANDIDATES = 500;

/** The columns of `jobs` that {@link toldFromRow} needs. */
export const TOLD =
  "id, kind, queue, attempts, max_retries, result, last_error, created_at, started_at, options";

/** What is told of a job that has ended, and where; null: nobody asked for it. */
export function toldFromRow(
  row: Readonly<Record<string, unknown>> | undefined,
): { readonly job: EndedJob; readonly url: string } | null {
  const url = optionsFromText((row?.["options"] ?? null) as string | null)?.callbackUrl;
  if (row === undefined || url === undefined) return null;
  const job = {
    id: row["id"] as string,
    kind: row["kind"] as string,
    queue: row["queue"] as string,
    attempts: row["attempts"] as number,
    maxRetries: row["max_retries"] as number,
    result: row["result"] as string | null,
    error: errorFromText(row["last_error"] as string | null),
    createdAtMs: row["created_at"] as number,
    startedAtMs: row["started_at"] as number | null,
  };
  return { job, url };
}

export const SHOWN =
  "number, id, job_id, event, url, state, attempts, next_at, last_status, last_error, " +
  "last_attempt_at, created_at, finished_at";

export function claimedFromRow(row: Readonly<Record<string, unknown>>): ClaimedDelivery {
  return {
    number: row["number"] as number,
    token: row["token"] as number,
    id: row["id"] as string,
    jobId: row["job_id"] as string,
    url: row["url"] as string,
    origin: row["origin"] as string,
    body: row["body"] as string,
    attempts: row["attempts"] as number,
  };
}

export function deliveryFromRow(row: Readonly<Record<string, unknown>>): Delivery {
  const error = row["last_error"] as string | null;
  return {
    number: row["number"] as number,
    id: row["id"] as string,
    jobId: row["job_id"] as string,
    event: row["event"] as string,
    url: row["url"] as string,
    state: row["state"] as DeliveryState,
    attempts: row["attempts"] as number,
    nextAtMs: row["next_at"] as number | null,
    lastStatus: row["last_status"] as number | null,
    lastError: error === null ? null : JSON.parse(error),
    lastAttemptAtMs: row["last_attempt_at"] as number | null,
    createdAtMs: row["created_at"] as number,
    finishedAtMs: row["finished_at"] as number | null,
  };
}
