/** Changes that people ask for: cancel, requeue, delete, and the dead-letter queue in bulk. */
import type { Job } from "../../job/job.ts";
import { isAllowed, isLeased } from "../../job/state.ts";
import { FINISHED, fromStates, targetState } from "../guard.ts";
import type { Change } from "../store.ts";
import type { Connection } from "./connection.ts";
import { JOB_COLUMNS, jobFromRow } from "./rows.ts";
import type { CountedState, Transaction } from "./transaction_counts.ts";

export function prepareChange(connection: Connection) {
  const find = connection.prepare(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`);
  const cancel = connection.prepare(
    `UPDATE jobs SET state = ${targetState("cancel")}, updated_at = ?, finished_at = ? ` +
      `WHERE seq = ? AND ${fromStates("cancel")}`,
  );
  const requestCancel = connection.prepare(
    "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, ?), updated_at = ? " +
      `WHERE seq = ? AND ${fromStates("abort")}`,
  );
  const requeue = connection.prepare(
    `UPDATE jobs SET state = ${
      targetState("requeue")
    }, attempts = 0, run_at = ?, updated_at = ?, ` +
      "last_error = NULL, cancel_requested_at = NULL, started_at = NULL, finished_at = NULL " +
      `WHERE seq = ? AND ${fromStates("requeue")}`,
  );
  const selectDead = connection.prepare(
    `SELECT seq, queue FROM jobs INDEXED BY jobs_finished WHERE state = 'dead' AND ${FINISHED} ` +
      "ORDER BY seq LIMIT ?",
  );
  const removals = ["jobs", "payloads", "attempts", "output"].map((table) =>
    connection.prepare(`DELETE FROM ${table} WHERE seq = ?`)
  );

  const findJob = (id: string): Job | null => {
    const row = find.get(id);
    return row === undefined ? null : jobFromRow(row);
  };

  function removeRows(seq: number, queue: string, state: CountedState, transaction: Transaction) {
    for (const removal of removals) removal.run(seq);
    transaction.count(queue, state, -1);
  }

  function requeueRow(
    { seq, queue, state }: { seq: number; queue: string; state: CountedState },
    nowMs: number,
    transaction: Transaction,
  ): void {
    requeue.run(nowMs, nowMs, seq);
    transaction.count(queue, state, -1);
    transaction.count(queue, "pending", 1);
  }

  return {
    cancel(id: string, nowMs: number, transaction: Transaction): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (isAllowed("cancel", job.state)) {
        cancel.run(nowMs, nowMs, job.seq);
        transaction.count(job.queue, job.state as CountedState, -1);
        transaction.count(job.queue, "cancelled", 1);
        transaction.tally("cancelled", 1, nowMs);
        return { result: "changed", job: findJob(id)! };
      }
      if (!isAllowed("abort", job.state)) return { result: "refused", job };
      requestCancel.run(nowMs, nowMs, job.seq);
      return { result: "requested", job: findJob(id)! };
    },

    requeue(id: string, nowMs: number, transaction: Transaction): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (!isAllowed("requeue", job.state)) return { result: "refused", job };
      requeueRow({ ...job, state: job.state as CountedState }, nowMs, transaction);
      return { result: "changed", job: findJob(id)! };
    },

    remove(id: string, transaction: Transaction): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (isLeased(job.state)) return { result: "refused", job };
      removeRows(job.seq, job.queue, job.state as CountedState, transaction);
      return { result: "changed", job };
    },

    requeueDead(nowMs: number, limit: number, transaction: Transaction): number {
      const rows = selectDead.all(limit) as { seq: number; queue: string }[];
      for (const row of rows) requeueRow({ ...row, state: "dead" }, nowMs, transaction);
      return rows.length;
    },

    purgeDead(limit: number, transaction: Transaction): number {
      const rows = selectDead.all(limit) as { seq: number; queue: string }[];
      for (const { seq, queue } of rows) removeRows(seq, queue, "dead", transaction);
      return rows.length;
    },
  };
}
