/** Reading jobs: one, a page, its payload, its attempts, its output. */
import type { Attempt, Job, Lease, OutputStream, Payload } from "../../job/job.ts";
import { isLeased, type JobState, LEASED_STATES } from "../../job/state.ts";
import { quoteStates } from "../guard.ts";
import type { JobPage, ListQuery, OutputQuery, StoredChunk } from "../store.ts";
import type { Connection, Row, SqlValue } from "./connection.ts";
import { errorFromText, JOB_COLUMNS, jobFromRow } from "./rows.ts";

/** Repeats the condition of the index jobs_resting, so that SQLite may use it. */
const RESTING = "state IN ('pending', 'failed', 'completed', 'dead', 'cancelled')";

export function prepareRead(connection: Connection) {
  const find = connection.prepare(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`);
  const payload = connection.prepare(
    "SELECT coalesce(jobs.payload, payloads.body) AS payload FROM jobs " +
      "LEFT JOIN payloads ON payloads.seq = jobs.seq WHERE jobs.seq = ?",
  );
  const attempts = connection.prepare("SELECT * FROM attempts WHERE seq = ? ORDER BY token");
  const output = connection.prepare(
    "SELECT chunk, stream, bytes FROM output WHERE seq = ? AND token = ? AND chunk > ? " +
      "ORDER BY chunk",
  );
  const cancelRequests = connection.prepare(
    "SELECT seq, lease_token AS token FROM jobs INDEXED BY jobs_leased " +
      `WHERE state IN (${quoteStates(LEASED_STATES)}) AND lease_holder = ? ` +
      "AND cancel_requested_at IS NOT NULL",
  );

  /** Jobs of one state, or of any, newest first. Statements differ, so they are made when asked. */
  function select(query: ListQuery, state: JobState | null): Row[] {
    const conditions: string[] = [];
    const parameters: SqlValue[] = [];
    let from = "jobs";
    if (state !== null) {
      conditions.push("state = ?");
      parameters.push(state);
      const isSmall = isLeased(state);
      conditions.push(isSmall ? `state IN (${quoteStates(LEASED_STATES)})` : RESTING);
      from += ` INDEXED BY ${isSmall ? "jobs_leased" : "jobs_resting"}`;
    }
    if (query.beforeSeq !== undefined) {
      conditions.push("seq < ?");
      parameters.push(query.beforeSeq);
    }
    for (const column of ["queue", "kind"] as const) {
      const value = query[column];
      if (value === undefined) continue;
      conditions.push(`${column} = ?`);
      parameters.push(value);
    }
    const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
    return connection.prepare(
      `SELECT ${JOB_COLUMNS} FROM ${from} ${where} ORDER BY seq DESC LIMIT ?`,
    ).all(...parameters, query.limit + 1);
  }

  return {
    find(id: string): Job | null {
      const row = find.get(id);
      return row === undefined ? null : jobFromRow(row);
    },

    payload: (seq: number): Payload => payload.get(seq)?.["payload"] as Payload ?? "null",

    list(query: ListQuery): JobPage {
      const rows = (query.states ?? [null]).flatMap((state) => select(query, state));
      rows.sort((one, other) => (other["seq"] as number) - (one["seq"] as number));
      const page = rows.slice(0, query.limit).map(jobFromRow);
      return { jobs: page, nextSeq: rows.length > query.limit ? page.at(-1)!.seq : null };
    },

    attempts: (seq: number): Attempt[] =>
      attempts.all(seq).map((row) => ({
        token: row["token"] as number,
        attempt: row["attempt"] as number,
        worker: row["worker"] as string | null,
        startedAtMs: row["started_at"] as number | null,
        finishedAtMs: row["finished_at"] as number,
        outcome: row["outcome"] as Attempt["outcome"],
        error: errorFromText(row["error"] as string)!,
        exitCode: row["exit_code"] as number | null,
        signal: row["signal"] as string | null,
        stdoutBytes: row["stdout_bytes"] as number | null,
        stderrBytes: row["stderr_bytes"] as number | null,
      })),

    output({ seq, token, stream, afterChunk = 0 }: OutputQuery): StoredChunk[] {
      const rows = output.all(seq, token, afterChunk);
      return rows.filter((row) => stream === undefined || row["stream"] === stream).map((row) => ({
        chunk: row["chunk"] as number,
        stream: row["stream"] as OutputStream,
        bytes: row["bytes"] as Uint8Array,
      }));
    },

    cancelRequests: (holder: string): Lease[] =>
      cancelRequests.all(holder).map((row) => ({
        seq: row["seq"] as number,
        token: row["token"] as number,
      })),
  };
}
