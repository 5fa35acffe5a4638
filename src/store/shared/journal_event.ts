/** Entries of the journal, and how far back it goes: alike in every store. */
import type { NewJob } from "../../job/job.ts";
import type { JobState } from "../../job/state.ts";
import type { JobHappening, JournalEvent } from "../store.ts";
import { errorFromText } from "./rows.ts";

/** How long, and how many rows, the journal goes back. */
export const KEPT_MS = 10 * 60_000;
export const KEPT_ROWS = 20_000;

/** Old rows are deleted once in so many. */
export const SWEEP_EVERY = 100;

/** The columns of `jobs` that {@link happeningFromRow} needs. */
export const TOLD_COLUMNS = "id, queue, kind, state, attempts, lease_worker, last_error";

/** What has happened to a job, whose row says already how it is now. */
export function happeningFromRow(
  type: JobHappening,
  row: Readonly<Record<string, unknown>>,
): JournalEvent {
  const isRunning = type === "job.started" || type === "job.processing";
  const hasEnded = type === "job.completed";
  const hasFailed = type === "job.failed" || type === "job.dead" || type === "job.cancelled";
  return {
    type,
    jobId: row["id"] as string,
    queue: row["queue"] as string,
    kind: row["kind"] as string,
    state: row["state"] as JobState,
    worker: row["lease_worker"] as string | null,
    attempt: (row["attempts"] as number) + (isRunning || hasEnded ? 1 : 0),
    error: hasFailed ? errorFromText(row["last_error"] as string | null) : null,
  };
}

/** A job is added, whose row may not be there yet. */
export function additionOf({ id, queue, kind }: NewJob): JournalEvent {
  const nothing = { worker: null, attempt: 0, error: null } as const;
  return { type: "job.added", jobId: id, queue, kind, state: "pending", ...nothing };
}
