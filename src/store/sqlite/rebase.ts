/** Jobs that would wait because the clock was set back. */
import { RUNNABLE } from "../guard.ts";
import type { Connection } from "./connection.ts";
import { BUCKET_MS } from "../shared/counted.ts";

export function prepareRebase(connection: Connection) {
  // The primary key answers it: has anything happened at a time that is still to come?
  const hasFuture = connection.prepare("SELECT 1 FROM throughput WHERE bucket > ? LIMIT 1");
  // Scans jobs_runnable, which is long at worst; but nobody sets clocks every minute. A job that
  // waits for a time somebody named (`run_at` after the last change) is left alone.
  const rebase = connection.prepare(
    "UPDATE jobs INDEXED BY jobs_runnable SET " +
      "run_at = ? + max(0, run_at - updated_at), updated_at = ? " +
      `WHERE ${RUNNABLE} AND run_at > ? AND updated_at > ? ` +
      "AND (state = 'failed' OR run_at <= updated_at)",
  );

  return (nowMs: number): number => {
    if (hasFuture.get(Math.floor(nowMs / BUCKET_MS)) === undefined) return 0;
    return rebase.run(nowMs, nowMs, nowMs, nowMs);
  };
}
