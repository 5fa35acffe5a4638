/** Taking back leases that nobody honours any more. */
import { decideReaped } from "../../job/outcome.ts";
import { type JobEvent, TRANSITIONS } from "../../job/state.ts";
import { fromStates, LEASED, targetState } from "../guard.ts";
import { describeLapse } from "../shared/lapse.ts";
import type { CountedState } from "../shared/counted.ts";
import type { ReapedJob, ReapRequest } from "../store.ts";
import type { Row } from "./connection.ts";
import { onEnd } from "./ends.ts";
import { errorToText, optionsFromText } from "./rows.ts";
import { insertAttempt } from "./settle.ts";
import type { Transaction } from "./transaction.ts";

// Scans jobs_leased, which holds only what runs now. What somebody writes just now is alive.
const SELECT = "SELECT seq, id, queue, attempts, max_retries, lease_token, lease_worker, " +
  "lease_holder, lease_expires_at, cancel_requested_at, started_at, options, traits FROM jobs " +
  `WHERE ${LEASED} AND (lease_expires_at <= $1 OR lease_holder = ANY($2::text[])) ` +
  "ORDER BY lease_expires_at LIMIT $3 FOR UPDATE SKIP LOCKED";

type ReapEvent = "reap" | "reapDead" | "reapCancelled";

const reapAs = (event: JobEvent, assignments: string) =>
  `UPDATE jobs SET state = ${targetState(event)}, updated_at = $2, attempts = attempts + 1, ` +
  `last_error = $3, ${assignments} WHERE seq = $1 AND ${fromStates(event, "state")}`;

const UPDATE: Record<ReapEvent, string> = {
  reap: reapAs("reap", "run_at = $4"),
  reapDead: reapAs("reapDead", "finished_at = $4"),
  reapCancelled: reapAs("reapCancelled", "finished_at = $4"),
};

export async function reap(
  request: ReapRequest,
  transaction: Transaction,
): Promise<ReapedJob[]> {
  const { nowMs, graceMs = 0, deadHolders, limit } = request;
  const rows = await transaction.all(SELECT, nowMs - graceMs, deadHolders, limit);
  const reaped: ReapedJob[] = [];
  for (const row of rows) reaped.push(await reapOne(row, request, transaction));
  return reaped;
}

async function reapOne(
  row: Row,
  request: ReapRequest,
  transaction: Transaction,
): Promise<ReapedJob> {
  const { nowMs, leaseMs, backoff } = request;
  const seq = row["seq"] as number;
  const queue = row["queue"] as string;
  const worker = row["lease_worker"] as string | null;
  const attempts = (row["attempts"] as number) + 1;
  const lapsed = {
    attempts: row["attempts"] as number,
    maxRetries: row["max_retries"] as number,
    leaseExpiresAtMs: row["lease_expires_at"] as number,
    options: optionsFromText(row["options"] as string | null),
  };
  const what = describeLapse(worker, row["lease_holder"] as string, request);
  const outcome = decideReaped(lapsed, what, { nowMs, leaseMs, backoff });
  const error = errorToText(outcome.error);
  const event: ReapEvent = row["cancel_requested_at"] !== null
    ? "reapCancelled"
    : outcome.event === "bury"
    ? "reapDead"
    : "reap";
  const atMs = event === "reap" && outcome.event === "fail" ? outcome.dueAtMs : nowMs;
  await transaction.run(UPDATE[event], seq, nowMs, error, atMs);
  const state = TRANSITIONS[event].to;
  if (event === "reapCancelled") transaction.tally("cancelled", 1, nowMs);
  if (event === "reapDead") transaction.tally("dead", 1, nowMs);
  transaction.tally("failedAttempts", 1, nowMs);
  transaction.count(queue, "leased", -1);
  transaction.count(queue, state as CountedState, 1);
  await insertAttempt({
    ...{ seq, attempt: attempts, worker, error, outcome: "failed", finishedAtMs: nowMs },
    token: row["lease_token"] as number,
    startedAtMs: row["started_at"] as number | null,
  }, transaction);
  await transaction.journal.jobs(`job.${state}`, [seq], transaction);
  if (event !== "reap") {
    const job = { seq, traits: row["traits"] as number };
    await onEnd(job, TRANSITIONS[event].to, nowMs, transaction);
  }
  return { id: row["id"] as string, queue, worker, state, attempts };
}
