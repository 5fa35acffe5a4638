/** Taking back leases that nobody honours any more. */
import { describeLapse } from "../shared/lapse.ts";
import { decideReaped } from "../../job/outcome.ts";
import { type JobEvent, TRANSITIONS } from "../../job/state.ts";
import { fromStates, LEASED, targetState } from "../guard.ts";
import type { ReapedJob, ReapRequest } from "../store.ts";
import type { Connection, Statement } from "./connection.ts";
import type { Ends } from "./ends.ts";
import { errorToText, optionsFromText } from "../shared/rows.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Transaction } from "./transaction_counts.ts";

export function prepareReap(
  connection: Connection,
  { insertAttempt, ends }: { insertAttempt: Statement; ends: Ends },
) {
  // Scans jobs_leased, which holds only what runs now.
  const select = connection.prepare(
    "SELECT seq, id, queue, attempts, max_retries, lease_token, lease_worker, lease_holder, " +
      "lease_expires_at, cancel_requested_at, started_at, options, traits FROM jobs INDEXED BY jobs_leased " +
      `WHERE ${LEASED} AND (lease_expires_at <= ? OR ` +
      "lease_holder IN (SELECT value FROM json_each(?))) ORDER BY lease_expires_at LIMIT ?",
  );
  const reap = (event: JobEvent, assignments: string) =>
    connection.prepare(
      `UPDATE jobs SET state = ${targetState(event)}, updated_at = ?, ${assignments} ` +
        `WHERE seq = ? AND ${fromStates(event)}`,
    );
  const toFailed = reap("reap", "attempts = attempts + 1, last_error = ?, run_at = ?");
  const toDead = reap("reapDead", "attempts = attempts + 1, last_error = ?, finished_at = ?");
  const toCancelled = reap(
    "reapCancelled",
    "attempts = attempts + 1, last_error = ?, finished_at = ?",
  );

  return (request: ReapRequest, transaction: Transaction): ReapedJob[] => {
    const { nowMs, leaseMs, backoff } = request;
    const rows = select.all(
      nowMs - (request.graceMs ?? 0),
      JSON.stringify(request.deadHolders),
      request.limit,
    );
    return rows.map((row) => {
      const seq = row["seq"] as number;
      const queue = row["queue"] as string;
      const attempts = (row["attempts"] as number) + 1;
      const lapsed = {
        attempts: row["attempts"] as number,
        maxRetries: row["max_retries"] as number,
        leaseExpiresAtMs: row["lease_expires_at"] as number,
        options: optionsFromText(row["options"] as string | null),
      };
      const lapse = describeLapse(
        row["lease_worker"] as string | null,
        row["lease_holder"] as string,
        request,
      );
      const outcome = decideReaped(lapsed, lapse, { nowMs, leaseMs, backoff });
      const error = errorToText(outcome.error);
      let event: "reap" | "reapDead" | "reapCancelled";
      if (row["cancel_requested_at"] !== null) {
        event = "reapCancelled";
        toCancelled.run(nowMs, error, nowMs, seq);
        transaction.tally("cancelled", 1, nowMs);
      } else if (outcome.event === "bury") {
        event = "reapDead";
        toDead.run(nowMs, error, nowMs, seq);
        transaction.tally("dead", 1, nowMs);
      } else {
        event = "reap";
        toFailed.run(nowMs, error, outcome.dueAtMs, seq);
      }
      const state = TRANSITIONS[event].to;
      transaction.tally("failedAttempts", 1, nowMs);
      transaction.count(queue, "leased", -1);
      transaction.count(queue, state as CountedState, 1);
      const [token, worker, startedAt] = [
        row["lease_token"],
        row["lease_worker"],
        row["started_at"],
      ];
      insertAttempt.run(
        seq,
        token!,
        attempts,
        worker!,
        startedAt!,
        nowMs,
        "failed",
        error,
        null,
        null,
        null,
        null,
      );
      transaction.journal.job(`job.${state}`, seq);
      if (event !== "reap") {
        const job = { seq, traits: row["traits"] as number };
        ends.onEnd(job, TRANSITIONS[event].to, nowMs, transaction);
      }
      return { id: row["id"] as string, queue, worker: worker as string | null, state, attempts };
    });
  };
}
