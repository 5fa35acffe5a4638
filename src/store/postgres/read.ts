/** Reading jobs: one, a page, its payload, its attempts, its output. */
import type { AfterCondition, Attempt, Job, Lease, OutputStream, Payload } from "../../job/job.ts";
import { isFinished, isLeased, type JobState } from "../../job/state.ts";
import { FINISHED, LEASED, RUNNABLE } from "../guard.ts";
import type { Dependency, JobPage, ListQuery, OutputQuery, StoredChunk } from "../store.ts";
import type { Sql, SqlValue } from "./connection.ts";
import { attemptFromRow, JOB_COLUMNS, jobFromRow } from "../shared/rows.ts";

export async function find(id: string, sql: Sql): Promise<Job | null> {
  const row = await sql.get(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1`, id);
  return row === undefined ? null : jobFromRow(row);
}

export async function payloadOf(seq: number, sql: Sql): Promise<Payload> {
  const row = await sql.get("SELECT payload, payload_bytes FROM jobs WHERE seq = $1", seq);
  return (row?.["payload"] ?? row?.["payload_bytes"] ?? "null") as Payload;
}

/** One statement, so that a job that changes its state meanwhile is there once. */
export async function list(query: ListQuery, sql: Sql): Promise<JobPage> {
  const values: SqlValue[] = [];
  // In the text, so that the plan is made for it: it decides whether sorting is worth while.
  const limit = Math.trunc(query.limit) + 1;
  const conditions: string[] = [];
  const add = (condition: string, value: SqlValue | undefined) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  };
  add("seq <", query.beforeSeq);
  add("queue =", query.queue);
  add("kind =", query.kind);
  const pageOf = (first: readonly string[]) => {
    const all = [...first, ...conditions];
    const where = all.length === 0 ? "" : ` WHERE ${all.join(" AND ")}`;
    return `(SELECT ${JOB_COLUMNS} FROM jobs${where} ORDER BY seq DESC LIMIT ${limit})`;
  };
  // The partial index that holds the state serves each page.
  const pages = query.states?.map((state) => pageOf([`state = '${state}'`, indexOf(state)])) ??
    [pageOf([])];
  const rows = pages.length === 0 ? [] : await sql.all(
    `SELECT * FROM (${pages.join(" UNION ALL ")}) AS page ORDER BY seq DESC LIMIT ${limit}`,
    ...values,
  );
  const jobs = rows.slice(0, query.limit).map(jobFromRow);
  return { jobs, nextSeq: rows.length > query.limit ? jobs.at(-1)!.seq : null };
}

function indexOf(state: JobState): string {
  return isFinished(state) ? FINISHED : isLeased(state) ? LEASED : RUNNABLE;
}

export async function attemptsOf(seq: number, sql: Sql): Promise<Attempt[]> {
  const rows = await sql.all("SELECT * FROM attempts WHERE seq = $1 ORDER BY token", seq);
  return rows.map(attemptFromRow);
}

export async function outputOf(
  { seq, token, stream, afterChunk = 0 }: OutputQuery,
  sql: Sql,
): Promise<StoredChunk[]> {
  const rows = await sql.all(
    "SELECT chunk, stream, bytes FROM output WHERE seq = $1 AND token = $2 AND chunk > $3 " +
      "AND ($4::text IS NULL OR stream = $4) ORDER BY chunk",
    ...[seq, token, afterChunk, stream ?? null],
  );
  return rows.map((row) => ({
    chunk: row["chunk"] as number,
    stream: row["stream"] as OutputStream,
    bytes: row["bytes"] as Uint8Array,
  }));
}

export async function dependenciesOf(seq: number, sql: Sql): Promise<Dependency[]> {
  const rows = await sql.all(
    "SELECT on_id, condition, is_met, run_at FROM dependencies WHERE seq = $1 ORDER BY on_seq",
    seq,
  );
  return rows.map((row) => ({
    id: row["on_id"] as string,
    condition: row["condition"] as AfterCondition,
    isMet: row["is_met"] === 1,
    runAtMs: row["run_at"] as number,
  }));
}

export async function cancelRequests(holder: string, sql: Sql): Promise<Lease[]> {
  const rows = await sql.all(
    `SELECT seq, lease_token AS token FROM jobs WHERE ${LEASED} AND lease_holder = $1 ` +
      "AND cancel_requested_at IS NOT NULL",
    holder,
  );
  return rows.map((row) => ({ seq: row["seq"] as number, token: row["token"] as number }));
}
