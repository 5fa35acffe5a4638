/** From rows of `schedules` to schedules. */
import type { CatchUp, Overlap, Schedule, Timing } from "../../job/schedule.ts";

export function scheduleFromRow(row: Readonly<Record<string, unknown>>): Schedule {
  return {
    id: row["id"] as number,
    name: row["name"] as string,
    timing: timingFromRow(row),
    catchUp: row["catch_up"] as CatchUp,
    overlap: row["overlap"] as Overlap,
    job: row["job"] as string,
    pausedAtMs: row["paused_at"] as number | null,
    nextAtMs: row["next_at"] as number | null,
    decidedAtMs: row["decided_at"] as number,
    lastAtMs: row["last_at"] as number | null,
    lastJobId: row["last_job"] as string | null,
    runs: row["runs"] as number,
    overlaps: row["overlaps"] as number,
    createdAtMs: row["created_at"] as number,
  };
}

function timingFromRow(row: Readonly<Record<string, unknown>>): Timing {
  const everyMs = row["every_ms"] as number | null;
  if (everyMs !== null) return { type: "every", everyMs };
  return { type: "cron", cron: row["cron"] as string, tz: row["time_zone"] as string };
}
