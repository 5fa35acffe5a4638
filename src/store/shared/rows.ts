/** From rows to jobs and their attempts: the only place that knows the names of these columns. */
import type { Attempt, AttemptError, Job, JobOptions, LeasedJob, Payload } from "../../job/job.ts";
import type { JobState } from "../../job/state.ts";
import type { PackedJob } from "./packing.ts";
import { TRAITS } from "./traits.ts";

type Row = Readonly<Record<string, unknown>>;

/** What {@link jobFromRow} needs; the payload is read apart. */
export const JOB_COLUMNS =
  "jobs.seq, jobs.id, jobs.queue, jobs.kind, jobs.state, jobs.priority, jobs.run_at, " +
  "jobs.attempts, jobs.max_retries, jobs.timeout_ms, jobs.lease_holder, jobs.lease_worker, " +
  "jobs.lease_token, jobs.lease_expires_at, jobs.cancel_requested_at, jobs.last_error, " +
  "jobs.created_at, jobs.updated_at, jobs.started_at, jobs.finished_at, jobs.result, " +
  "jobs.options, jobs.flow_key, jobs.traits";

export function jobFromRow(row: Row): Job {
  return {
    seq: row["seq"] as number,
    id: row["id"] as string,
    queue: row["queue"] as string,
    kind: row["kind"] as string,
    state: row["state"] as JobState,
    priority: row["priority"] as number,
    runAtMs: row["run_at"] as number,
    attempts: row["attempts"] as number,
    maxRetries: row["max_retries"] as number,
    timeoutMs: row["timeout_ms"] as number | null,
    leaseHolder: row["lease_holder"] as string | null,
    worker: row["lease_worker"] as string | null,
    token: row["lease_token"] as number,
    leaseExpiresAtMs: row["lease_expires_at"] as number | null,
    cancelRequestedAtMs: row["cancel_requested_at"] as number | null,
    lastError: errorFromText(row["last_error"] as string | null),
    createdAtMs: row["created_at"] as number,
    updatedAtMs: row["updated_at"] as number,
    startedAtMs: row["started_at"] as number | null,
    finishedAtMs: row["finished_at"] as number | null,
    result: row["result"] as string | null,
    options: optionsFromText(row["options"] as string | null),
    key: row["flow_key"] as string | null,
    isDependent: ((row["traits"] as number) & TRAITS.WAITS) !== 0,
    hasFiles: hasFiles(row),
  };
}

/** A job as it is just being leased: its token is the next one. */
export function leasedFromRow(row: Row, payload: Payload): LeasedJob {
  return {
    seq: row["seq"] as number,
    token: (row["lease_token"] as number) + 1,
    id: row["id"] as string,
    queue: row["queue"] as string,
    kind: row["kind"] as string,
    payload,
    attempts: row["attempts"] as number,
    maxRetries: row["max_retries"] as number,
    timeoutMs: row["timeout_ms"] as number | null,
    options: optionsFromText(row["options"] as string | null),
    dueAtMs: row["run_at"] as number,
    hasFiles: hasFiles(row),
  };
}

/** Its payload, which may be large, is not looked at yet. */
export function packedFromRow(row: Row): PackedJob {
  return {
    kind: row["kind"] as string,
    attempts: row["attempts"] as number,
    hasFiles: hasFiles(row),
  };
}

function hasFiles(row: Row): boolean {
  return ((row["traits"] as number) & TRAITS.FILES) !== 0;
}

export function attemptFromRow(row: Row): Attempt {
  return {
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
  };
}

/** The options of a job that gets a fresh set of attempts, or its first, at the time of the parameter. */
export const RENEWED_AGE = "CASE WHEN json_extract(options, '$.retry.maxAgeMs') IS NULL " +
  "THEN options ELSE json_set(options, '$.retry.untilMs', CAST(? AS INTEGER) + " +
  "json_extract(options, '$.retry.maxAgeMs')) END";

/** JSON, because SQLite's TEXT would be cut at a NUL character. */
export function errorToText(error: AttemptError): string {
  return JSON.stringify({ code: error.code, message: error.message });
}

export function errorFromText(text: string | null): AttemptError | null {
  return text === null ? null : JSON.parse(text);
}

export function optionsFromText(text: string | null): JobOptions | null {
  return text === null ? null : JSON.parse(text);
}
