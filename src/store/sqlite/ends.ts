/**
 * What the end of one job means to others, written in the transaction that ends it: its unique key
 * is free, the jobs that wait for it run or are cancelled, its outcome is to be told. Called for jobs
 * with such traits only; plain ones never come here.
 */
import { type AfterCondition, type AttemptError, HELD_MS } from "../../job/job.ts";
import { fromStates, targetState } from "../guard.ts";
import type { Connection } from "./connection.ts";
import { errorToText } from "./rows.ts";
import { MATTERS_AT_END, TRAITS } from "./traits.ts";
import type { CountedState, Transaction } from "./transaction_counts.ts";

/** A job that ends. */
export interface EndingJob {
  readonly seq: number;
  readonly traits: number;
}

/** The states that jobs end in. */
export type EndState = "completed" | "dead" | "cancelled";

export interface Ends {
  /** The job has just entered the state. */
  onEnd(job: EndingJob, state: EndState, nowMs: number, transaction: Transaction): void;
  /** The job is about to be deleted before it has run: to others that is as if it were cancelled. */
  onRemoval(job: EndingJob, nowMs: number, transaction: Transaction): void;
  /** Cancels a job that cannot run any more, because of what others did. */
  cancelWaiting(seq: number, error: AttemptError, nowMs: number, transaction: Transaction): void;
}

/** Whether a job that ended so is what another one waits for. */
export function meets(condition: AfterCondition, state: EndState): boolean {
  return condition === "any" || (condition === "success") === (state === "completed");
}

export function prepareEnds(connection: Connection): Ends {
  const freeKey = connection.prepare("DELETE FROM unique_keys WHERE seq = ?");
  // Served by the index dependents.
  const selectDependents = connection.prepare(
    "SELECT seq, on_id, condition, run_at FROM dependencies WHERE on_seq = ? AND is_met = 0",
  );
  const meet = connection.prepare(
    "UPDATE dependencies SET is_met = 1 WHERE seq = ? AND on_seq = ?",
  );
  const isHeld = connection.prepare("SELECT 1 FROM dependencies WHERE seq = ? AND is_met = 0");
  const letGo = connection.prepare(
    `UPDATE jobs SET run_at = ?, updated_at = ? WHERE seq = ? AND run_at = ${HELD_MS} ` +
      `AND ${fromStates("claim")}`,
  );
  const cancel = connection.prepare(
    `UPDATE jobs SET state = ${targetState("cancel")}, last_error = ?, updated_at = ?, ` +
      `finished_at = ? WHERE seq = ? AND ${fromStates("cancel")} RETURNING queue, traits`,
  );
  const stateOf = connection.prepare("SELECT state FROM jobs WHERE seq = ?");

  function onEnd(
    { seq, traits }: EndingJob,
    state: EndState,
    nowMs: number,
    transaction: Transaction,
  ): void {
    if ((traits & MATTERS_AT_END) === 0) return;
    if (traits & TRAITS.UNIQUE) freeKey.run(seq);
    if (traits & TRAITS.AWAITED) tellDependents(seq, state, nowMs, transaction);
  }

  function tellDependents(
    seq: number,
    state: EndState,
    nowMs: number,
    transaction: Transaction,
  ): void {
    for (const row of selectDependents.all(seq)) {
      const dependent = row["seq"] as number;
      if (!meets(row["condition"] as AfterCondition, state)) {
        const error = unmetError(row["on_id"] as string, state);
        cancelWaiting(dependent, error, nowMs, transaction);
        continue;
      }
      meet.run(dependent, seq);
      if (isHeld.get(dependent) !== undefined) continue;
      if (letGo.run(row["run_at"]!, nowMs, dependent) > 0) transaction.wake();
    }
  }

  function cancelWaiting(
    seq: number,
    error: AttemptError,
    nowMs: number,
    transaction: Transaction,
  ): void {
    const from = stateOf.get(seq)?.["state"] as CountedState | undefined;
    const row = cancel.get(errorToText(error), nowMs, nowMs, seq);
    if (row === undefined || from === undefined) return;
    const queue = row["queue"] as string;
    transaction.count(queue, from, -1);
    transaction.count(queue, "cancelled", 1);
    transaction.tally("cancelled", 1, nowMs);
    onEnd({ seq, traits: row["traits"] as number }, "cancelled", nowMs, transaction);
  }

  return {
    onEnd,
    cancelWaiting,
    onRemoval({ seq, traits }, nowMs, transaction) {
      const { UNIQUE, AWAITED } = TRAITS;
      onEnd({ seq, traits: traits & (UNIQUE | AWAITED) }, "cancelled", nowMs, transaction);
    },
  };
}

/** Why a job is cancelled that waited for another one. */
export function unmetError(id: string, state: EndState | "missing"): AttemptError {
  const found = state === "missing" ? "there is no such job" : `it is ${state}`;
  return { code: "dependency", message: `the job ${id}, which this one waits for: ${found}` };
}
