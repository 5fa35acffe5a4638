/** Jobs that would wait because the clock was set back. */
import { RUNNABLE } from "../guard.ts";
import { BUCKET_MS } from "../shared/counted.ts";
import type { Sql } from "./connection.ts";

export async function rebase(nowMs: number, sql: Sql): Promise<number> {
  // Has anything happened at a time that is still to come?
  const future = await sql.get(
    "SELECT 1 AS is_any FROM throughput WHERE bucket > $1 LIMIT 1",
    Math.floor(nowMs / BUCKET_MS),
  );
  if (future === undefined) return 0;
  // A job that waits for a time somebody named (`run_at` after the last change) is left alone.
  return await sql.run(
    "UPDATE jobs SET run_at = $1 + greatest(0, run_at - updated_at), updated_at = $1 " +
      `WHERE ${RUNNABLE} AND run_at > $1 AND updated_at > $1 ` +
      "AND (state = 'failed' OR run_at <= updated_at)",
    nowMs,
  );
}
