/** Changes that people ask for: cancel, requeue, delete, and the dead-letter queue in bulk. */
import { HELD_MS, type Job, type JobOptions } from "../../job/job.ts";
import { isAllowed, isFinished, isLeased } from "../../job/state.ts";
import { FINISHED, fromStates, targetState } from "../guard.ts";
import type { EndingJob } from "../shared/endings.ts";
import { TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Change, JobEdit } from "../store.ts";
import type { Sql } from "./connection.ts";
import { onEnd } from "./ends.ts";
import { removeJobs } from "./removal.ts";
import { JOB_COLUMNS, jobFromRow, optionsFromText, renewedAge } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

interface LockedJob {
  readonly job: Job;
  readonly traits: number;
}

/** The job, which nobody else changes from here on. */
async function lockJob(id: string, transaction: Transaction): Promise<LockedJob | null> {
  const sql = `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1`;
  let row = await transaction.get(`${sql} FOR UPDATE`, id);
  if (row !== undefined && (row["traits"] as number) & TRAITS.AWAITED) {
    await transaction.exclusively();
    row = await transaction.get(sql, id);
  }
  return row === undefined ? null : { job: jobFromRow(row), traits: row["traits"] as number };
}

async function findJob(id: string, transaction: Transaction): Promise<Job> {
  return jobFromRow((await transaction.get(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1`, id))!);
}

const CANCEL = `UPDATE jobs SET state = ${targetState("cancel")}, updated_at = $2, ` +
  `finished_at = $2 WHERE seq = $1 AND ${fromStates("cancel", "state")}`;

const REQUEST_CANCEL = "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, $2), " +
  `updated_at = $2 WHERE seq = $1 AND ${fromStates("abort", "state")}`;

export async function cancelJob(
  id: string,
  nowMs: number,
  transaction: Transaction,
): Promise<Change> {
  const found = await lockJob(id, transaction);
  if (found === null) return { result: "missing" };
  const { job, traits } = found;
  if (isAllowed("cancel", job.state)) {
    await transaction.run(CANCEL, job.seq, nowMs);
    transaction.count(job.queue, job.state as CountedState, -1);
    transaction.count(job.queue, "cancelled", 1);
    transaction.tally("cancelled", 1, nowMs);
    await transaction.journal.jobs("job.cancelled", [job.seq], transaction);
    await onEnd({ seq: job.seq, traits }, "cancelled", nowMs, transaction);
    return { result: "changed", job: await findJob(id, transaction) };
  }
  if (!isAllowed("abort", job.state)) return { result: "refused", job };
  await transaction.run(REQUEST_CANCEL, job.seq, nowMs);
  return { result: "requested", job: await findJob(id, transaction) };
}

export async function requeueJob(
  id: string,
  { nowMs, edit }: { nowMs: number; edit: JobEdit },
  transaction: Transaction,
): Promise<Change> {
  const found = await lockJob(id, transaction);
  if (found === null) return { result: "missing" };
  const { job, traits } = found;
  if (!isAllowed("requeue", job.state)) return { result: "refused", job };
  const state = job.state as CountedState;
  const { dueAtMs = nowMs } = edit;
  if (!await requeueRow({ ...job, state, traits }, { nowMs, dueAtMs }, transaction)) {
    return { result: "refused", job, isKeyTaken: true };
  }
  await applyEdit(job, edit, transaction);
  return { result: "changed", job: await findJob(id, transaction) };
}

async function applyEdit(
  job: Job,
  { payload, ...edit }: JobEdit,
  transaction: Transaction,
): Promise<void> {
  const { priority = job.priority, maxRetries = job.maxRetries, timeoutMs = job.timeoutMs } = edit;
  if (Object.keys(edit).length > 0) {
    await transaction.run(
      "UPDATE jobs SET priority = $2, max_retries = $3, timeout_ms = $4 WHERE seq = $1",
      ...[job.seq, priority, maxRetries, timeoutMs],
    );
  }
  if (payload === undefined) return;
  const [text, bytes] = typeof payload === "string" ? [payload, null] : [null, payload];
  await transaction.run(
    "UPDATE jobs SET payload = $2, payload_bytes = $3 WHERE seq = $1",
    ...[job.seq, text, bytes],
  );
}

export async function removeJob(
  id: string,
  nowMs: number,
  transaction: Transaction,
): Promise<Change> {
  const found = await lockJob(id, transaction);
  if (found === null) return { result: "missing" };
  const { job, traits } = found;
  if (isLeased(job.state)) return { result: "refused", job };
  const ending = { seq: job.seq, traits };
  // To others it is as if it were cancelled.
  if (!isFinished(job.state)) await onEnd(ending, "deleted", nowMs, transaction);
  const { queue } = job;
  await removeJobs([{ ...ending, queue, state: job.state as CountedState }], transaction);
  return { result: "changed", job };
}

interface RequeuedJob extends EndingJob {
  readonly queue: string;
  readonly state: CountedState;
  readonly options: JobOptions | null;
}

const REQUEUE = `UPDATE jobs SET state = ${targetState("requeue")}, attempts = 0, run_at = $2, ` +
  `updated_at = $3, options = ${renewedAge("$3")}, last_error = NULL, ` +
  "cancel_requested_at = NULL, started_at = NULL, finished_at = NULL " +
  `WHERE seq = $1 AND ${fromStates("requeue", "state")}`;

// Jobs that have ended otherwise than they were to, or are gone, will not end again.
const WAIVE = "UPDATE dependencies SET run_at = 0, is_met = CASE WHEN is_met = 0 AND NOT EXISTS " +
  `(SELECT 1 FROM jobs WHERE jobs.seq = dependencies.on_seq AND NOT ${FINISHED}) ` +
  "THEN 2 ELSE is_met END WHERE seq = $1";

/** False: another live job has its unique key. */
async function requeueRow(
  { seq, queue, state, options, traits }: RequeuedJob,
  { nowMs, dueAtMs }: { nowMs: number; dueAtMs: number },
  transaction: Transaction,
): Promise<boolean> {
  if (options?.uniqueKey !== undefined) {
    await transaction.exclusively();
    const taken = await transaction.run(
      "INSERT INTO unique_keys (key, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      options.uniqueKey,
      seq,
    );
    if (taken === 0) return false;
  }
  let runAtMs = dueAtMs;
  if (traits & TRAITS.WAITS) {
    // Somebody wants it to run whatever became of the jobs that it waited for; those that have not
    // ended yet it waits for again.
    await transaction.exclusively();
    await transaction.run(WAIVE, seq);
    const held = await transaction.get(
      "SELECT 1 AS is_held FROM dependencies WHERE seq = $1 AND is_met = 0 LIMIT 1",
      seq,
    );
    if (held !== undefined) runAtMs = HELD_MS;
  }
  await transaction.run(REQUEUE, seq, runAtMs, nowMs);
  transaction.count(queue, state, -1);
  transaction.count(queue, "pending", 1);
  await transaction.journal.jobs("job.requeued", [seq], transaction);
  return true;
}

const DEAD = `FROM jobs WHERE state = 'dead' AND ${FINISHED}`;

// Those whose unique key another job has taken meanwhile stay where they are.
const HAS_TAKEN_KEY = `(traits & ${TRAITS.UNIQUE} <> 0 AND EXISTS ` +
  "(SELECT 1 FROM unique_keys WHERE key = json_text(jobs.options, '{uniqueKey}')))";
const SELECT_REQUEUEABLE = `SELECT seq, queue, options, traits ${DEAD} AND NOT ${HAS_TAKEN_KEY} ` +
  "ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED";

export async function countUnrequeueable(sql: Sql): Promise<number> {
  return (await sql.get(`SELECT count(*) AS jobs ${DEAD} AND ${HAS_TAKEN_KEY}`))!["jobs"] as number;
}

export async function requeueDead(
  nowMs: number,
  limit: number,
  transaction: Transaction,
): Promise<number> {
  let requeued = 0;
  while (requeued < limit) {
    let step = 0;
    for (const row of await transaction.all(SELECT_REQUEUEABLE, limit - requeued)) {
      const job = {
        seq: row["seq"] as number,
        queue: row["queue"] as string,
        state: "dead",
        options: optionsFromText(row["options"] as string | null),
        traits: row["traits"] as number,
      } as const;
      if (await requeueRow(job, { nowMs, dueAtMs: nowMs }, transaction)) step++;
    }
    if (step === 0) break;
    requeued += step;
  }
  return requeued;
}

export async function purgeDead(limit: number, transaction: Transaction): Promise<number> {
  const rows = await transaction.all(
    `SELECT seq, queue, traits ${DEAD} ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED`,
    limit,
  );
  await removeJobs(
    rows.map((row) => ({
      seq: row["seq"] as number,
      queue: row["queue"] as string,
      traits: row["traits"] as number,
      state: "dead",
    })),
    transaction,
  );
  return rows.length;
}
