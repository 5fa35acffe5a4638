/** Writes down, in the transaction that ends a job, that its outcome is to be told. */
import { type ToldState, WEBHOOK_EVENTS, webhookBody } from "../../job/webhook.ts";
import { newId } from "../../lib/ids.ts";
import { errorFromText, optionsFromText } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

export async function recordDelivery(
  seq: number,
  state: ToldState,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  const row = await transaction.get(
    "SELECT id, kind, queue, attempts, max_retries, result, last_error, created_at, started_at, " +
      "options FROM jobs WHERE seq = $1",
    seq,
  );
  const url = optionsFromText((row?.["options"] ?? null) as string | null)?.callbackUrl;
  if (row === undefined || url === undefined) return;
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
  await transaction.run(
    "INSERT INTO deliveries (id, seq, job_id, event, url, origin, body, state, next_at, " +
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8)",
    `msg_${newId()}`,
    ...[seq, job.id, WEBHOOK_EVENTS[state], url],
    ...[new URL(url).origin, webhookBody(job, state, nowMs), nowMs],
  );
  transaction.wake(); // whoever delivers looks at once
}
