/**
 * Webhooks: taken by one process at a time, settled under the token of that claim. Whoever comes late
 * changes nothing.
 */
import type {
  ClaimedDelivery,
  DeliveryClaim,
  DeliveryLease,
  DeliveryOutcome,
  DeliveryPage,
  DeliveryQuery,
  StoredDelivery,
} from "../deliveries.ts";
import { CANDIDATES, claimedFromRow, deliveryFromRow, SHOWN } from "../shared/delivery_row.ts";
import type { Sql, SqlValue } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

export async function nextDeliveryAtMs(sql: Sql): Promise<number | null> {
  const row = await sql.get("SELECT min(next_at) AS at FROM deliveries WHERE state = 'waiting'");
  return row!["at"] as number | null;
}

export async function claimDeliveries(
  { nowMs, untilMs, limit, limitPerOrigin, underWay }: DeliveryClaim,
  sql: Sql,
): Promise<ClaimedDelivery[]> {
  const busy = new Map(underWay);
  const due = await sql.all(
    "SELECT number, origin FROM deliveries WHERE state = 'waiting' AND next_at <= $1 " +
      "ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
    nowMs,
    CANDIDATES,
  );
  const wanted: number[] = [];
  for (const row of due) {
    if (wanted.length >= limit) break;
    const origin = row["origin"] as string;
    const count = busy.get(origin) ?? 0;
    if (count >= limitPerOrigin) continue;
    busy.set(origin, count + 1);
    wanted.push(row["number"] as number);
  }
  if (wanted.length === 0) return [];
  const rows = await sql.all(
    "UPDATE deliveries SET token = token + 1, attempts = attempts + 1, next_at = $2, " +
      "last_attempt_at = $3 FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (number, place) " +
      "WHERE deliveries.number = wanted.number RETURNING place, deliveries.number, token, id, " +
      "job_id, url, origin, body, attempts",
    wanted,
    ...[untilMs, nowMs],
  );
  rows.sort((one, other) => (one["place"] as number) - (other["place"] as number));
  return rows.map(claimedFromRow);
}

/** The fencing: a claim that was overtaken, or a delivery that is over, is left as it is. */
const HELD = "WHERE number = $1 AND token = $2 AND state = 'waiting'";

const FINISH = "UPDATE deliveries SET state = $3, next_at = NULL, finished_at = $4, " +
  `last_status = $5, last_error = $6 ${HELD}`;

export async function settleDelivery(
  { number, token }: DeliveryLease,
  outcome: DeliveryOutcome,
  nowMs: number,
  sql: Sql,
): Promise<boolean> {
  const update = () => {
    switch (outcome.result) {
      case "delivered":
        return sql.run(FINISH, number, token, "delivered", nowMs, outcome.status, null);
      case "failed": {
        const error = JSON.stringify(outcome.error);
        return sql.run(FINISH, number, token, "failed", nowMs, outcome.status, error);
      }
      case "retry":
        return sql.run(
          `UPDATE deliveries SET next_at = $3, last_status = $4, last_error = $5 ${HELD}`,
          ...[number, token, outcome.atMs, outcome.status, JSON.stringify(outcome.error)],
        );
      case "released":
        return sql.run(
          `UPDATE deliveries SET next_at = $3, attempts = attempts - 1 ${HELD}`,
          ...[number, token, nowMs],
        );
    }
  };
  return await update() > 0;
}

export async function listDeliveries(
  { limit, state, jobId, beforeNumber }: DeliveryQuery,
  sql: Sql,
): Promise<DeliveryPage> {
  const conditions: string[] = [];
  const values: SqlValue[] = [limit + 1];
  const add = (condition: string, value: SqlValue | undefined) => {
    if (value !== undefined) conditions.push(`${condition} $${values.push(value)}`);
  };
  add("state =", state);
  add("job_id =", jobId);
  add("number <", beforeNumber);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const rows = await sql.all(
    `SELECT ${SHOWN} FROM deliveries ${where} ORDER BY number DESC LIMIT $1`,
    ...values,
  );
  const deliveries = rows.slice(0, limit).map(deliveryFromRow);
  return { deliveries, nextNumber: rows.length > limit ? deliveries.at(-1)!.number : null };
}

export async function findDelivery(id: string, sql: Sql): Promise<StoredDelivery | null> {
  const row = await sql.get(`SELECT ${SHOWN}, body FROM deliveries WHERE id = $1`, id);
  return row === undefined ? null : { ...deliveryFromRow(row), body: row["body"] as string };
}

export async function replayDelivery(
  id: string,
  nowMs: number,
  transaction: Transaction,
): Promise<StoredDelivery | null> {
  const replayed = await transaction.run(
    "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = $1, finished_at = NULL " +
      "WHERE id = $2",
    nowMs,
    id,
  );
  if (replayed > 0) transaction.wake();
  return await findDelivery(id, transaction);
}

export function pruneDeliveries(overSinceMs: number, limit: number, sql: Sql): Promise<number> {
  return sql.run(
    "DELETE FROM deliveries WHERE number = ANY(ARRAY(SELECT number FROM deliveries " +
      "WHERE state <> 'waiting' AND finished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    overSinceMs,
    limit,
  );
}

/** Those that sign now; none: there is no secret yet. */
export async function readSecrets(nowMs: number, sql: Sql): Promise<string[]> {
  const rows = await sql.all(
    "SELECT secret FROM webhook_secrets WHERE expires_at IS NULL OR expires_at > $1 " +
      "ORDER BY expires_at IS NOT NULL, created_at DESC",
    nowMs,
  );
  return rows.map((row) => row["secret"] as string);
}

const ADD_SECRET = "INSERT INTO webhook_secrets (secret, created_at) VALUES ($1, $2)";

export async function secrets(
  fresh: string,
  nowMs: number,
  transaction: Transaction,
): Promise<string[]> {
  await transaction.exclusively(); // or two processes would each begin with one of their own
  const kept = await readSecrets(nowMs, transaction);
  if (kept.length > 0) return kept;
  await transaction.run(ADD_SECRET, fresh, nowMs);
  return await readSecrets(nowMs, transaction);
}

export async function rotateSecret(
  fresh: string,
  { nowMs, untilMs }: { nowMs: number; untilMs: number },
  transaction: Transaction,
): Promise<void> {
  await transaction.exclusively();
  await transaction.run("DELETE FROM webhook_secrets WHERE expires_at <= $1", nowMs);
  await transaction.run(
    "UPDATE webhook_secrets SET expires_at = $1 WHERE expires_at IS NULL",
    untilMs,
  );
  await transaction.run(ADD_SECRET, fresh, nowMs);
}
