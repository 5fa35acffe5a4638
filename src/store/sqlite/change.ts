/** Changes that people ask for: cancel, requeue, delete, and the dead-letter queue in bulk. */
import { HELD_MS, type Job, type JobOptions } from "../../job/job.ts";
import { isAllowed, isFinished, isLeased } from "../../job/state.ts";
import { FINISHED, fromStates, targetState } from "../guard.ts";
import type { Change, JobEdit } from "../store.ts";
import { INLINE_PAYLOAD } from "./add.ts";
import type { Connection } from "./connection.ts";
import type { EndingJob } from "../shared/endings.ts";
import type { Ends } from "./ends.ts";
import type { Remove } from "./removal.ts";
import { JOB_COLUMNS, jobFromRow, optionsFromText, RENEWED_AGE } from "../shared/rows.ts";
import { TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Transaction } from "./transaction_counts.ts";

export function prepareChange(
  connection: Connection,
  { ends, remove }: { ends: Ends; remove: Remove },
) {
  const find = connection.prepare(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`);
  const traitsOf = connection.prepare("SELECT traits FROM jobs WHERE seq = ?");
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
    }, attempts = 0, run_at = ?, updated_at = ?, options = ${RENEWED_AGE}, ` +
      "last_error = NULL, cancel_requested_at = NULL, started_at = NULL, finished_at = NULL " +
      `WHERE seq = ? AND ${fromStates("requeue")}`,
  );
  const dead = `FROM jobs INDEXED BY jobs_finished WHERE state = 'dead' AND ${FINISHED}`;
  const selectDead = connection.prepare(
    `SELECT seq, queue, traits ${dead} ORDER BY seq LIMIT ?`,
  );
  // Those whose unique key another job has taken meanwhile stay where they are.
  const hasTakenKey = `(traits & ${TRAITS.UNIQUE} <> 0 AND EXISTS ` +
    "(SELECT 1 FROM unique_keys WHERE key = json_extract(options, '$.uniqueKey')))";
  const selectRequeueable = connection.prepare(
    `SELECT seq, queue, options, traits ${dead} AND NOT ${hasTakenKey} ORDER BY seq LIMIT ?`,
  );
  const countUnrequeueable = connection.prepare(
    `SELECT count(*) AS jobs ${dead} AND ${hasTakenKey}`,
  );
  const takeKey = connection.prepare(
    "INSERT INTO unique_keys (key, seq) VALUES (?, ?) ON CONFLICT DO NOTHING",
  );
  // Jobs that have ended otherwise than they were to, or are gone, will not end again.
  const waive = connection.prepare(
    "UPDATE dependencies SET run_at = 0, is_met = CASE WHEN is_met = 0 AND NOT EXISTS (SELECT 1 " +
      `FROM jobs WHERE jobs.seq = dependencies.on_seq AND NOT ${FINISHED}) THEN 2 ELSE is_met END ` +
      "WHERE seq = ?",
  );
  const isHeld = connection.prepare("SELECT 1 FROM dependencies WHERE seq = ? AND is_met = 0");

  const editJob = connection.prepare(
    "UPDATE jobs SET priority = ?, max_retries = ?, timeout_ms = ? WHERE seq = ?",
  );
  const editPayload = connection.prepare("UPDATE jobs SET payload = ? WHERE seq = ?");
  const keepPayload = connection.prepare(
    "INSERT OR REPLACE INTO payloads (seq, body) VALUES (?, ?)",
  );
  const dropPayload = connection.prepare("DELETE FROM payloads WHERE seq = ?");

  const findJob = (id: string): Job | null => {
    const row = find.get(id);
    return row === undefined ? null : jobFromRow(row);
  };

  /** False: another live job has its unique key. */
  function requeueRow(
    { seq, queue, state, options, traits }: RequeuedJob,
    { nowMs, dueAtMs }: { nowMs: number; dueAtMs: number },
    transaction: Transaction,
  ): boolean {
    if (options?.uniqueKey !== undefined && takeKey.run(options.uniqueKey, seq) === 0) return false;
    let runAtMs = dueAtMs;
    if (traits & TRAITS.WAITS) {
      // Somebody wants it to run whatever became of the jobs that it waited for; those that have not
      // ended yet it waits for again.
      waive.run(seq);
      if (isHeld.get(seq) !== undefined) runAtMs = HELD_MS;
    }
    requeue.run(runAtMs, nowMs, nowMs, seq);
    transaction.count(queue, state, -1);
    transaction.count(queue, "pending", 1);
    transaction.journal.job("job.requeued", seq);
    return true;
  }

  function applyEdit(job: Job, { payload, ...edit }: JobEdit): void {
    const { priority = job.priority, maxRetries = job.maxRetries, timeoutMs = job.timeoutMs } =
      edit;
    if (Object.keys(edit).length > 0) editJob.run(priority, maxRetries, timeoutMs, job.seq);
    if (payload === undefined) return;
    const isInline = payload.length <= INLINE_PAYLOAD;
    editPayload.run(isInline ? payload : null, job.seq);
    if (isInline) dropPayload.run(job.seq);
    else keepPayload.run(job.seq, payload);
  }

  const endingJob = (seq: number): EndingJob => ({
    seq,
    traits: traitsOf.get(seq)!["traits"] as number,
  });

  return {
    cancel(id: string, nowMs: number, transaction: Transaction): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (isAllowed("cancel", job.state)) {
        cancel.run(nowMs, nowMs, job.seq);
        transaction.count(job.queue, job.state as CountedState, -1);
        transaction.count(job.queue, "cancelled", 1);
        transaction.tally("cancelled", 1, nowMs);
        transaction.journal.job("job.cancelled", job.seq);
        ends.onEnd(endingJob(job.seq), "cancelled", nowMs, transaction);
        return { result: "changed", job: findJob(id)! };
      }
      if (!isAllowed("abort", job.state)) return { result: "refused", job };
      requestCancel.run(nowMs, nowMs, job.seq);
      return { result: "requested", job: findJob(id)! };
    },

    requeue(
      id: string,
      { nowMs, edit }: { nowMs: number; edit: JobEdit },
      transaction: Transaction,
    ): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (!isAllowed("requeue", job.state)) return { result: "refused", job };
      const state = job.state as CountedState;
      const { traits } = endingJob(job.seq);
      const { dueAtMs = nowMs } = edit;
      if (!requeueRow({ ...job, state, traits }, { nowMs, dueAtMs }, transaction)) {
        return { result: "refused", job, isKeyTaken: true };
      }
      applyEdit(job, edit);
      return { result: "changed", job: findJob(id)! };
    },

    remove(id: string, nowMs: number, transaction: Transaction): Change {
      const job = findJob(id);
      if (job === null) return { result: "missing" };
      if (isLeased(job.state)) return { result: "refused", job };
      const ending = endingJob(job.seq);
      if (!isFinished(job.state)) ends.onRemoval(ending, nowMs, transaction);
      const { queue } = job;
      remove([{ ...ending, queue, state: job.state as CountedState }], transaction);
      return { result: "changed", job };
    },

    requeueDead(nowMs: number, limit: number, transaction: Transaction): number {
      let requeued = 0;
      while (requeued < limit) {
        let step = 0;
        for (const row of selectRequeueable.all(limit - requeued)) {
          const job = {
            seq: row["seq"] as number,
            queue: row["queue"] as string,
            state: "dead",
            options: optionsFromText(row["options"] as string | null),
            traits: row["traits"] as number,
          } as const;
          if (requeueRow(job, { nowMs, dueAtMs: nowMs }, transaction)) step++;
        }
        if (step === 0) break;
        requeued += step;
      }
      return requeued;
    },

    countUnrequeueable: (): number => countUnrequeueable.get()!["jobs"] as number,

    purgeDead(limit: number, transaction: Transaction): number {
      const rows = selectDead.all(limit) as { seq: number; queue: string; traits: number }[];
      remove(rows.map((row) => ({ ...row, state: "dead" })), transaction);
      return rows.length;
    },
  };
}

interface RequeuedJob extends EndingJob {
  readonly queue: string;
  readonly state: CountedState;
  readonly options: JobOptions | null;
}
