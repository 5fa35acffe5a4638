/**
 * Changes that people ask for: cancel, requeue, delete, and the dead-letter queue in bulk. Those of many
 * jobs are made by few statements, or everybody else's would wait behind thousands.
 */
import { HELD_MS, type Job, type JobOptions } from "../../job/job.ts";
import { isAllowed, isFinished, isLeased } from "../../job/state.ts";
import { FINISHED, fromStates, targetState } from "../guard.ts";
import type { EndingJob } from "../shared/endings.ts";
import { TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Change, JobEdit } from "../store.ts";
import type { Sql } from "./connection.ts";
import { onEnd } from "./ends.ts";
import { removeJobs as removeRows } from "./removal.ts";
import { JOB_COLUMNS, jobFromRow, optionsFromText, renewedAge } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

/** What somebody wants of a job. */
export interface Wish {
  readonly id: string;
  readonly nowMs: number;
  /** Of a requeue. */
  readonly edit?: JobEdit;
}

/** A wish, and the job as it is, which nobody else changes from here on. */
interface Wanted extends Wish {
  readonly job: Job;
  readonly traits: number;
}

/** Makes the changes that the jobs' states allow; tells what became of each wish. */
type Apply = (wanted: readonly Wanted[], transaction: Transaction) => Promise<Change[]>;

export const cancelJobs = changing(cancel);
export const requeueJobs = changing(requeue);
export const removeJobs = changing(remove);

/** @returns what became of each of the wishes, which are of different jobs. */
function changing(apply: Apply) {
  return async (wishes: readonly Wish[], transaction: Transaction): Promise<Change[]> => {
    const changes = new Map<string, Change>();
    const wanted = await lockAll(wishes, transaction);
    const plain = wanted.filter(({ traits }) => traits === 0);
    const made = plain.length > 0 ? await apply(plain, transaction) : [];
    for (const [index, { id }] of plain.entries()) changes.set(id, made[index]!);
    for (const one of wanted) {
      if (one.traits === 0) continue;
      // Alone, and as it is now: what was done to others may have changed it.
      const [change] = await apply(await lockAll([one], transaction), transaction);
      changes.set(one.id, change!);
    }
    return wishes.map(({ id }) => changes.get(id) ?? { result: "missing" });
  };
}

async function lockAll(wishes: readonly Wish[], transaction: Transaction): Promise<Wanted[]> {
  const ids = wishes.map(({ id }) => id);
  // In one order for everybody, or two changes could wait for each other.
  const sql = `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ANY($1::text[]) ORDER BY seq`;
  let rows = await transaction.all(`${sql} FOR UPDATE`, ids);
  if (rows.some((row) => (row["traits"] as number) & TRAITS.AWAITED)) {
    await transaction.exclusively();
    rows = await transaction.all(sql, ids);
  }
  const found = new Map(rows.map((row) => [row["id"] as string, row]));
  return wishes.flatMap((wish) => {
    const row = found.get(wish.id);
    return row === undefined
      ? []
      : [{ ...wish, job: jobFromRow(row), traits: row["traits"] as number }];
  });
}

/** The jobs as they are now. */
async function lookAgain(jobs: readonly Job[], sql: Sql): Promise<Map<string, Job>> {
  if (jobs.length === 0) return new Map();
  const rows = await sql.all(
    `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ANY($1::text[])`,
    jobs.map(({ id }) => id),
  );
  return new Map(rows.map((row) => [row["id"] as string, jobFromRow(row)]));
}

const WISHES = "unnest($1::bigint[], $2::bigint[]) AS wish (seq, now_ms)";

const CANCEL = `UPDATE jobs SET state = ${targetState("cancel")}, updated_at = wish.now_ms, ` +
  `finished_at = wish.now_ms FROM ${WISHES} ` +
  `WHERE jobs.seq = wish.seq AND ${fromStates("cancel", "(jobs.state || '')")}`;

const REQUEST_CANCEL =
  "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, wish.now_ms), " +
  `updated_at = wish.now_ms FROM ${WISHES} ` +
  `WHERE jobs.seq = wish.seq AND ${fromStates("abort", "(jobs.state || '')")}`;

async function cancel(wanted: readonly Wanted[], transaction: Transaction): Promise<Change[]> {
  const ending = wanted.filter(({ job }) => isAllowed("cancel", job.state));
  const running = wanted.filter(({ job }) => isAllowed("abort", job.state));
  if (ending.length > 0) {
    await transaction.run(CANCEL, seqsOf(ending), timesOf(ending));
    await transaction.journal.jobs("job.cancelled", seqsOf(ending), transaction);
  }
  for (const { job, nowMs, traits } of ending) {
    transaction.count(job.queue, job.state as CountedState, -1);
    transaction.count(job.queue, "cancelled", 1);
    transaction.tally("cancelled", 1, nowMs);
    await onEnd({ seq: job.seq, traits }, "cancelled", nowMs, transaction);
  }
  if (running.length > 0) {
    await transaction.run(REQUEST_CANCEL, seqsOf(running), timesOf(running));
  }
  const changed = await lookAgain([...ending, ...running].map(({ job }) => job), transaction);
  return wanted.map((one): Change => {
    const job = changed.get(one.id);
    if (job === undefined) return { result: "refused", job: one.job };
    return { result: isAllowed("cancel", one.job.state) ? "changed" : "requested", job };
  });
}

async function requeue(wanted: readonly Wanted[], transaction: Transaction): Promise<Change[]> {
  const allowed = wanted.filter(({ job }) => isAllowed("requeue", job.state));
  const rows = allowed.map(({ job, traits, nowMs, edit }) => ({
    ...{ ...job, state: job.state as CountedState, traits, nowMs },
    dueAtMs: edit?.dueAtMs ?? nowMs,
  }));
  const requeued = await requeueRows(rows, transaction);
  for (const { job, edit } of allowed) {
    if (edit !== undefined && requeued.has(job.seq)) await applyEdit(job, edit, transaction);
  }
  const changed = await lookAgain(allowed.map(({ job }) => job), transaction);
  return wanted.map(({ id, job }): Change => {
    const now = changed.get(id);
    if (now === undefined) return { result: "refused", job };
    return requeued.has(job.seq)
      ? { result: "changed", job: now }
      : { result: "refused", job, isKeyTaken: true };
  });
}

async function applyEdit(
  job: Job,
  { payload, dueAtMs: _, ...edit }: JobEdit,
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

async function remove(wanted: readonly Wanted[], transaction: Transaction): Promise<Change[]> {
  const removed = wanted.filter(({ job }) => !isLeased(job.state));
  for (const { job, traits, nowMs } of removed) {
    const ending = { seq: job.seq, traits };
    // To others it is as if it were cancelled.
    if (!isFinished(job.state)) await onEnd(ending, "deleted", nowMs, transaction);
  }
  const rows = removed.map(({ job: { seq, queue, state }, traits }) => ({
    ...{ seq, queue, traits, state: state as CountedState },
  }));
  await removeRows(rows, transaction);
  return wanted.map(({ job }): Change => ({
    result: isLeased(job.state) ? "refused" : "changed",
    job,
  }));
}

function seqsOf(wanted: readonly Wanted[]): number[] {
  return wanted.map(({ job }) => job.seq);
}

function timesOf(wanted: readonly Wanted[]): number[] {
  return wanted.map(({ nowMs }) => nowMs);
}

interface RequeuedJob extends EndingJob {
  readonly queue: string;
  readonly state: CountedState;
  readonly options: JobOptions | null;
  readonly nowMs: number;
  readonly dueAtMs: number;
}

const REQUEUE = `UPDATE jobs SET state = ${targetState("requeue")}, attempts = 0, ` +
  "run_at = wish.due_at, updated_at = wish.now_ms, " +
  `options = ${renewedAge("wish.now_ms")}, last_error = NULL, ` +
  "cancel_requested_at = NULL, started_at = NULL, finished_at = NULL " +
  "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wish (seq, due_at, now_ms) " +
  `WHERE jobs.seq = wish.seq AND ${fromStates("requeue", "(jobs.state || '')")}`;

// Jobs that have ended otherwise than they were to, or are gone, will not end again.
const WAIVE = "UPDATE dependencies SET run_at = 0, is_met = CASE WHEN is_met = 0 AND NOT EXISTS " +
  `(SELECT 1 FROM jobs WHERE jobs.seq = dependencies.on_seq AND NOT ${FINISHED}) ` +
  "THEN 2 ELSE is_met END WHERE seq = $1";

/** The numbers of those that were requeued: of the others a live job has the unique key. */
async function requeueRows(
  jobs: readonly RequeuedJob[],
  transaction: Transaction,
): Promise<ReadonlySet<number>> {
  const requeued = new Map<number, RequeuedJob & { readonly runAtMs: number }>();
  for (const job of jobs) {
    const runAtMs = await comeBack(job, transaction);
    if (runAtMs !== null) requeued.set(job.seq, { ...job, runAtMs });
  }
  if (requeued.size === 0) return new Set();
  const rows = [...requeued.values()];
  const seqs = [...requeued.keys()];
  await transaction.run(
    REQUEUE,
    seqs,
    rows.map(({ runAtMs }) => runAtMs),
    rows.map(({ nowMs }) => nowMs),
  );
  for (const { queue, state } of rows) {
    transaction.count(queue, state, -1);
    transaction.count(queue, "pending", 1);
  }
  await transaction.journal.jobs("job.requeued", seqs, transaction);
  return new Set(seqs);
}

/** What a job is to others again; when it may run, or null: another live job has its unique key. */
async function comeBack(
  { seq, options, traits, dueAtMs }: RequeuedJob,
  transaction: Transaction,
): Promise<number | null> {
  if (options?.uniqueKey !== undefined) {
    await transaction.exclusively();
    const taken = await transaction.run(
      "INSERT INTO unique_keys (key, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      options.uniqueKey,
      seq,
    );
    if (taken === 0) return null;
  }
  if ((traits & TRAITS.WAITS) === 0) return dueAtMs;
  // Somebody wants it to run whatever became of the jobs that it waited for; those that have not
  // ended yet it waits for again.
  await transaction.exclusively();
  await transaction.run(WAIVE, seq);
  const held = await transaction.get(
    "SELECT 1 AS is_held FROM dependencies WHERE seq = $1 AND is_met = 0 LIMIT 1",
    seq,
  );
  return held === undefined ? dueAtMs : HELD_MS;
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
    const rows = await transaction.all(SELECT_REQUEUEABLE, limit - requeued);
    const jobs = rows.map((row) => ({
      ...{ seq: row["seq"] as number, queue: row["queue"] as string, state: "dead" as const },
      options: optionsFromText(row["options"] as string | null),
      traits: row["traits"] as number,
      ...{ nowMs, dueAtMs: nowMs },
    }));
    const { size } = await requeueRows(jobs, transaction);
    if (size === 0) break;
    requeued += size;
  }
  return requeued;
}

export async function purgeDead(limit: number, transaction: Transaction): Promise<number> {
  const rows = await transaction.all(
    `SELECT seq, queue, traits ${DEAD} ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED`,
    limit,
  );
  await removeRows(
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
