/** Writes down, in the transaction that ends a job, that its outcome is to be told. */
import { type ToldState, WEBHOOK_EVENTS, webhookBody } from "../../job/webhook.ts";
import { newId } from "../../lib/ids.ts";
import { TOLD, toldFromRow } from "../shared/delivery_row.ts";
import type { Transaction } from "./transaction.ts";

export async function recordDelivery(
  seq: number,
  state: ToldState,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  const told = toldFromRow(
    await transaction.get(`SELECT ${TOLD} FROM jobs WHERE seq = $1`, seq),
  );
  if (told === null) return;
  const { job, url } = told;
  await transaction.run(
    "INSERT INTO deliveries (id, seq, job_id, event, url, origin, body, state, next_at, " +
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8)",
    `msg_${newId()}`,
    ...[seq, job.id, WEBHOOK_EVENTS[state], url],
    ...[new URL(url).origin, webhookBody(job, state, nowMs), nowMs],
  );
  transaction.wake(); // whoever delivers looks at once
}
