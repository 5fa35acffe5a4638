/** Alerts: that one begins or ends is written together with the webhook that tells of it. */
import { newId } from "../../lib/ids.ts";
import type { AlertChange } from "../store.ts";
import type { Sql } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

/** In the place of a job, which alerts have none of. */
const NO_JOB = { seq: 0, id: "" };

export async function alertNames(sql: Sql): Promise<string[]> {
  return (await sql.all("SELECT name FROM alerts ORDER BY name")).map((row) =>
    row["name"] as string
  );
}

/** False: it has begun, or ended, already. */
export async function changeAlert(
  { name, isFiring, event, url, body }: AlertChange,
  nowMs: number,
  transaction: Transaction,
): Promise<boolean> {
  const changed = isFiring
    ? await transaction.run(
      "INSERT INTO alerts (name, since) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      name,
      nowMs,
    )
    : await transaction.run("DELETE FROM alerts WHERE name = $1", name);
  if (changed === 0) return false;
  await transaction.run(
    "INSERT INTO deliveries (id, seq, job_id, event, url, origin, body, state, next_at, " +
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8)",
    `msg_${newId()}`,
    ...[NO_JOB.seq, NO_JOB.id, event, url, new URL(url).origin, body, nowMs],
  );
  transaction.wake(); // whoever delivers looks at once
  return true;
}
