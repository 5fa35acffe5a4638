/**
 * Webhooks: written down when their job ends, taken by one process at a time, settled under the
 * token of that claim. Whoever comes late changes nothing.
 */
import {
  CANDIDATES,
  claimedFromRow,
  deliveryFromRow,
  SHOWN,
  TOLD,
  toldFromRow,
} from "../shared/delivery_row.ts";
import { type ToldState, WEBHOOK_EVENTS, webhookBody } from "../../job/webhook.ts";
import { newId } from "../../lib/ids.ts";
import type {
  ClaimedDelivery,
  DeliveryClaim,
  DeliveryLease,
  DeliveryOutcome,
  DeliveryPage,
  DeliveryQuery,
  StoredDelivery,
} from "../deliveries.ts";
import type { Connection, SqlValue } from "./connection.ts";
import type { Transaction } from "./transaction_counts.ts";

/** Writes down that the outcome of a job is to be told. */
export type RecordDelivery = (
  seq: number,
  state: ToldState,
  nowMs: number,
  transaction: Transaction,
) => void;

export function prepareDeliveryRecord(connection: Connection): RecordDelivery {
  const selectJob = connection.prepare(`SELECT ${TOLD} FROM jobs WHERE seq = ?`);
  const insert = connection.prepare(
    "INSERT INTO deliveries (id, seq, job_id, event, url, origin, body, state, next_at, " +
      "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
  );

  return (seq, state, nowMs, transaction) => {
    const told = toldFromRow(selectJob.get(seq));
    if (told === null) return;
    const { job, url } = told;
    const body = webhookBody(job, state, nowMs);
    const { origin } = new URL(url);
    const id = `msg_${newId()}`;
    insert.run(id, seq, job.id, WEBHOOK_EVENTS[state], url, origin, body, nowMs, nowMs);
    transaction.wake(); // whoever delivers looks at once
  };
}

export function prepareDeliveries(connection: Connection) {
  const nextAt = connection.prepare(
    "SELECT min(next_at) AS at FROM deliveries INDEXED BY deliveries_due WHERE state = 'waiting'",
  );
  const selectDue = connection.prepare(
    "SELECT number, origin FROM deliveries INDEXED BY deliveries_due " +
      "WHERE state = 'waiting' AND next_at <= ? ORDER BY next_at LIMIT ?",
  );
  const claim = connection.prepare(
    "UPDATE deliveries SET token = token + 1, attempts = attempts + 1, next_at = ?, " +
      "last_attempt_at = ? WHERE number = ? " +
      "RETURNING number, token, id, job_id, url, origin, body, attempts",
  );
  // The fencing: a claim that was overtaken, or a delivery that is over, is left as it is.
  const held = "WHERE number = ? AND token = ? AND state = 'waiting'";
  const finish = connection.prepare(
    `UPDATE deliveries SET state = ?, next_at = NULL, finished_at = ?, last_status = ?, ` +
      `last_error = ? ${held}`,
  );
  const retry = connection.prepare(
    `UPDATE deliveries SET next_at = ?, last_status = ?, last_error = ? ${held}`,
  );
  const release = connection.prepare(
    `UPDATE deliveries SET next_at = ?, attempts = attempts - 1 ${held}`,
  );
  const find = connection.prepare(`SELECT ${SHOWN}, body FROM deliveries WHERE id = ?`);
  const replay = connection.prepare(
    "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, finished_at = NULL " +
      "WHERE id = ?",
  );
  const prune = connection.prepare(
    "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries " +
      "INDEXED BY deliveries_over WHERE state <> 'waiting' AND finished_at < ? LIMIT ?)",
  );
  const secrets = connection.prepare(
    "SELECT secret FROM webhook_secrets WHERE expires_at IS NULL OR expires_at > ? " +
      "ORDER BY expires_at IS NOT NULL, created_at DESC",
  );
  const addSecret = connection.prepare(
    "INSERT INTO webhook_secrets (secret, created_at) VALUES (?, ?)",
  );
  const endSecrets = connection.prepare(
    "UPDATE webhook_secrets SET expires_at = ? WHERE expires_at IS NULL",
  );
  const dropSecrets = connection.prepare("DELETE FROM webhook_secrets WHERE expires_at <= ?");

  const readSecrets = (nowMs: number) => secrets.all(nowMs).map((row) => row["secret"] as string);
  const findOne = (id: string): StoredDelivery | null => {
    const row = find.get(id);
    return row === undefined ? null : { ...deliveryFromRow(row), body: row["body"] as string };
  };

  return {
    nextAtMs: (): number | null => nextAt.get()!["at"] as number | null,

    claim({ nowMs, untilMs, limit, limitPerOrigin, underWay }: DeliveryClaim): ClaimedDelivery[] {
      const busy = new Map(underWay);
      const claimed: ClaimedDelivery[] = [];
      for (const row of selectDue.all(nowMs, CANDIDATES)) {
        if (claimed.length >= limit) break;
        const origin = row["origin"] as string;
        const count = busy.get(origin) ?? 0;
        if (count >= limitPerOrigin) continue;
        busy.set(origin, count + 1);
        claimed.push(claimedFromRow(claim.get(untilMs, nowMs, row["number"]!)!));
      }
      return claimed;
    },

    settle({ number, token }: DeliveryLease, outcome: DeliveryOutcome, nowMs: number): boolean {
      switch (outcome.result) {
        case "delivered":
          return finish.run("delivered", nowMs, outcome.status, null, number, token) > 0;
        case "failed": {
          const { status, error } = outcome;
          return finish.run("failed", nowMs, status, JSON.stringify(error), number, token) > 0;
        }
        case "retry": {
          const { atMs, status, error } = outcome;
          return retry.run(atMs, status, JSON.stringify(error), number, token) > 0;
        }
        case "released":
          return release.run(nowMs, number, token) > 0;
      }
    },

    list({ limit, state, jobId, beforeNumber }: DeliveryQuery): DeliveryPage {
      const conditions: string[] = [];
      const parameters: SqlValue[] = [];
      const add = (condition: string, value: SqlValue | undefined) => {
        if (value === undefined) return;
        conditions.push(condition);
        parameters.push(value);
      };
      add("state = ?", state);
      add("job_id = ?", jobId);
      add("number < ?", beforeNumber);
      const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
      const rows = connection.prepare(
        `SELECT ${SHOWN} FROM deliveries ${where} ORDER BY number DESC LIMIT ?`,
      ).all(...parameters, limit + 1);
      const deliveries = rows.slice(0, limit).map(deliveryFromRow);
      return { deliveries, nextNumber: rows.length > limit ? deliveries.at(-1)!.number : null };
    },

    find: findOne,

    replay(id: string, nowMs: number, transaction: Transaction): StoredDelivery | null {
      if (replay.run(nowMs, id) > 0) transaction.wake();
      return findOne(id);
    },

    prune: (overSinceMs: number, limit: number): number => prune.run(overSinceMs, limit),

    secrets(fresh: string, nowMs: number): string[] {
      if (readSecrets(nowMs).length === 0) addSecret.run(fresh, nowMs);
      return readSecrets(nowMs);
    },

    /** Those that sign now; none: there is no secret yet. */
    readSecrets,

    rotateSecret(fresh: string, { nowMs, untilMs }: { nowMs: number; untilMs: number }): void {
      dropSecrets.run(nowMs);
      endSecrets.run(untilMs);
      addSecret.run(fresh, nowMs);
    },
  };
}
