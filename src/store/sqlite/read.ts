/** Reading jobs: one, a page, its payload, its attempts, its output. */
import type { AfterCondition, Attempt, Job, Lease, OutputStream, Payload } from "../../job/job.ts";
import { isFinished, isLeased, type JobState } from "../../job/state.ts";
import { FINISHED, LEASED, RUNNABLE } from "../guard.ts";
import type { Dependency, JobPage, ListQuery, OutputQuery, StoredChunk } from "../store.ts";
import type { Connection, Row, SqlValue } from "./connection.ts";
import { attemptFromRow, JOB_COLUMNS, jobFromRow } from "../shared/rows.ts";

/** So many of the newest jobs are looked at one by one before an index is asked. */
const RECENT_JOBS = 2_000;

export function prepareRead(connection: Connection) {
  const find = connection.prepare(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`);
  const lastSeq = connection.prepare("SELECT coalesce(max(seq), 0) AS seq FROM jobs");
  const payload = connection.prepare(
    "SELECT coalesce(jobs.payload, payloads.body) AS payload FROM jobs " +
      "LEFT JOIN payloads ON payloads.seq = jobs.seq WHERE jobs.seq = ?",
  );
  const attempts = connection.prepare("SELECT * FROM attempts WHERE seq = ? ORDER BY token");
  const output = connection.prepare(
    "SELECT chunk, stream, bytes FROM output WHERE seq = ? AND token = ? AND chunk > ? " +
      "ORDER BY chunk",
  );
  const dependencies = connection.prepare(
    "SELECT on_id, condition, is_met, run_at FROM dependencies WHERE seq = ? ORDER BY on_seq",
  );
  const cancelRequests = connection.prepare(
    "SELECT seq, lease_token AS token FROM jobs INDEXED BY jobs_leased " +
      `WHERE ${LEASED} AND lease_holder = ? ` +
      "AND cancel_requested_at IS NOT NULL",
  );

  /** Statements differ with the filters, so they are made when asked. */
  function select(query: ListQuery, { from = "jobs", where }: { from?: string; where?: string }) {
    const conditions = where === undefined ? [] : [where];
    const parameters: SqlValue[] = [];
    const addCondition = (condition: string, value: SqlValue | undefined) => {
      if (value === undefined) return;
      conditions.push(condition);
      parameters.push(value);
    };
    addCondition("seq < ?", query.beforeSeq);
    addCondition("queue = ?", query.queue);
    addCondition("kind = ?", query.kind);
    const all = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
    return connection.prepare(
      `SELECT ${JOB_COLUMNS} FROM ${from} ${all} ORDER BY seq DESC LIMIT ?`,
    ).all(...parameters, query.limit + 1);
  }

  /** Jobs of one state, newest first. */
  function selectState(query: ListQuery, state: JobState): Row[] {
    if (isFinished(state)) {
      const where = `state = '${state}' AND ${FINISHED}`;
      return select(query, { from: "jobs INDEXED BY jobs_finished", where });
    }
    if (isLeased(state)) {
      const where = `state = '${state}' AND ${LEASED}`;
      return select(query, { from: "jobs INDEXED BY jobs_leased", where });
    }
    // The newest jobs mostly wait; where they do not, the index holds all that do, to be sorted.
    const newest = query.beforeSeq ?? (lastSeq.get()!["seq"] as number) + 1;
    const recent = select(query, {
      where: `+state = '${state}' AND seq >= ${newest - RECENT_JOBS}`,
    });
    if (recent.length > query.limit) return recent;
    const where = `state = '${state}' AND ${RUNNABLE}`;
    return select(query, { from: "jobs INDEXED BY jobs_runnable", where });
  }

  return {
    find(id: string): Job | null {
      const row = find.get(id);
      return row === undefined ? null : jobFromRow(row);
    },

    payload: (seq: number): Payload => payload.get(seq)?.["payload"] as Payload ?? "null",

    list(query: ListQuery): JobPage {
      const rows = query.states === undefined
        ? select(query, {})
        : query.states.flatMap((state) => selectState(query, state));
      rows.sort((one, other) => (other["seq"] as number) - (one["seq"] as number));
      const page = rows.slice(0, query.limit).map(jobFromRow);
      return { jobs: page, nextSeq: rows.length > query.limit ? page.at(-1)!.seq : null };
    },

    attempts: (seq: number): Attempt[] => attempts.all(seq).map(attemptFromRow),

    output({ seq, token, stream, afterChunk = 0 }: OutputQuery): StoredChunk[] {
      const rows = output.all(seq, token, afterChunk);
      return rows.filter((row) => stream === undefined || row["stream"] === stream).map((row) => ({
        chunk: row["chunk"] as number,
        stream: row["stream"] as OutputStream,
        bytes: row["bytes"] as Uint8Array,
      }));
    },

    dependencies: (seq: number): Dependency[] =>
      dependencies.all(seq).map((row) => ({
        id: row["on_id"] as string,
        condition: row["condition"] as AfterCondition,
        isMet: row["is_met"] === 1,
        runAtMs: row["run_at"] as number,
      })),

    cancelRequests: (holder: string): Lease[] =>
      cancelRequests.all(holder).map((row) => ({
        seq: row["seq"] as number,
        token: row["token"] as number,
      })),
  };
}
