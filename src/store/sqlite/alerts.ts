/** Alerts: that one begins or ends is written together with the webhook that tells of it. */
import { newId } from "../../lib/ids.ts";
import type { AlertChange } from "../store.ts";
import type { Connection } from "./connection.ts";
import type { Transaction } from "./transaction_counts.ts";

/** In the place of a job, which alerts have none of. */
const NO_JOB = { seq: 0, id: "" };

export function prepareAlerts(connection: Connection) {
  const begin = connection.prepare(
    "INSERT INTO alerts (name, since) VALUES (?, ?) ON CONFLICT DO NOTHING",
  );
  const end = connection.prepare("DELETE FROM alerts WHERE name = ?");
  const names = connection.prepare("SELECT name FROM alerts ORDER BY name");
  const deliver = connection.prepare(
    "INSERT INTO deliveries (id, seq, job_id, event, url, origin, body, state, next_at, " +
      "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
  );

  return {
    names: (): string[] => names.all().map((row) => row["name"] as string),

    /** False: it has begun, or ended, already. */
    change(
      { name, isFiring, event, url, body }: AlertChange,
      nowMs: number,
      transaction: Transaction,
    ): boolean {
      const changed = isFiring ? begin.run(name, nowMs) : end.run(name);
      if (changed === 0) return false;
      const { origin } = new URL(url);
      const id = `msg_${newId()}`;
      deliver.run(id, NO_JOB.seq, NO_JOB.id, event, url, origin, body, nowMs, nowMs);
      transaction.wake(); // whoever delivers looks at once
      return true;
    },
  };
}
