/** The `schedules` table: what is in it, and running a schedule's time exactly once. */
import { scheduleFromRow } from "../shared/schedule_row.ts";
import { type Schedule, SCHEDULE_LIMITS } from "../../job/schedule.ts";
import { isFinished, type JobState } from "../../job/state.ts";
import type {
  DueSchedules,
  ScheduleAddition,
  ScheduledRun,
  ScheduledRunResult,
  ScheduleMove,
  ScheduleRequest,
} from "../schedules.ts";
import type { Add } from "./add.ts";
import type { Connection } from "./connection.ts";
import type { Transaction } from "./transaction_counts.ts";

/** So many are due in one answer; those that follow are due at once again. */
const PAGE = 100;

export function prepareSchedules(connection: Connection, { add }: { add: Add["add"] }) {
  const all = connection.prepare("SELECT * FROM schedules ORDER BY name");
  const byName = connection.prepare("SELECT * FROM schedules WHERE name = ?");
  const byId = connection.prepare("SELECT * FROM schedules WHERE id = ?");
  const count = connection.prepare("SELECT count(*) AS n FROM schedules");
  // Both are served by the partial index schedules_due.
  const due = connection.prepare(
    "SELECT * FROM schedules INDEXED BY schedules_due WHERE paused_at IS NULL AND next_at <= ? " +
      "ORDER BY next_at LIMIT ?",
  );
  const next = connection.prepare(
    "SELECT min(next_at) AS next_at FROM schedules INDEXED BY schedules_due " +
      "WHERE paused_at IS NULL AND next_at > ?",
  );
  const insert = connection.prepare(
    "INSERT INTO schedules (name, cron, time_zone, every_ms, catch_up, overlap, job, paused_at, " +
      "next_at, decided_at, last_at, last_job, runs, overlaps, created_at) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const remove = connection.prepare("DELETE FROM schedules WHERE id = ?");
  const move = connection.prepare("UPDATE schedules SET next_at = ?, decided_at = ? WHERE id = ?");
  const note = connection.prepare(
    "UPDATE schedules SET last_at = ?, last_job = ?, runs = runs + ? WHERE id = ?",
  );
  const noteOverlap = connection.prepare(
    "UPDATE schedules SET overlaps = overlaps + 1 WHERE id = ?",
  );
  const pause = connection.prepare(
    "UPDATE schedules SET paused_at = ? WHERE name = ? AND paused_at IS NULL",
  );
  const resume = connection.prepare(
    "UPDATE schedules SET paused_at = NULL, next_at = ?, decided_at = ? " +
      "WHERE name = ? AND paused_at IS NOT NULL",
  );
  const stateOf = connection.prepare("SELECT state FROM jobs WHERE id = ?");

  const find = (name: string): Schedule | null => {
    const row = byName.get(name);
    return row === undefined ? null : scheduleFromRow(row);
  };

  /** Whether what was decided for the schedule still counts. */
  function isCurrent({ id, fromMs }: ScheduleMove): boolean {
    const row = byId.get(id);
    return row !== undefined && row["paused_at"] === null && row["next_at"] === fromMs;
  }

  function isRunning(jobId: string): boolean {
    const state = stateOf.get(jobId)?.["state"] as JobState | undefined;
    return state !== undefined && !isFinished(state);
  }

  function moveOn(decided: ScheduleMove | null, nowMs: number): void {
    if (decided !== null) move.run(decided.nextAtMs, nowMs, decided.id);
  }

  return {
    all: (): Schedule[] => all.all().map(scheduleFromRow),
    find,

    due: (nowMs: number): DueSchedules => ({
      due: due.all(nowMs, PAGE).map(scheduleFromRow),
      nextAtMs: next.get(nowMs)!["next_at"] as number | null,
    }),

    add({ schedule, nextAtMs, nowMs, isReplacing }: ScheduleRequest): ScheduleAddition {
      const { name, timing, catchUp, overlap, job } = schedule;
      const old = find(name);
      if (old !== null && !isReplacing) return { result: "exists" };
      if (old === null && (count.get()!["n"] as number) >= SCHEDULE_LIMITS.schedules) {
        return { result: "too-many" };
      }
      if (old !== null) remove.run(old.id);
      // Who says again what is said already must not put off the next run.
      const isSameTiming = old !== null && JSON.stringify(old.timing) === JSON.stringify(timing);
      const times = isSameTiming ? old : { nextAtMs, decidedAtMs: nowMs, createdAtMs: nowMs };
      insert.run(
        name,
        timing.type === "cron" ? timing.cron : null,
        timing.type === "cron" ? timing.tz : null,
        timing.type === "every" ? timing.everyMs : null,
        catchUp,
        overlap,
        job,
        old?.pausedAtMs ?? null,
        times.nextAtMs,
        times.decidedAtMs,
        old?.lastAtMs ?? null,
        old?.lastJobId ?? null,
        old?.runs ?? 0,
        old?.overlaps ?? 0,
        times.createdAtMs,
      );
      return { result: old === null ? "added" : "replaced", schedule: find(name)! };
    },

    run(run: ScheduledRun, nowMs: number, transaction: Transaction): ScheduledRunResult {
      const row = byId.get(run.id);
      if (row === undefined) return { result: "lost" };
      if (run.move !== null && !isCurrent(run.move)) return { result: "lost" };
      if (run.jobs.length === 0) {
        moveOn(run.move, nowMs);
        return { result: "ran" };
      }
      const before = row["last_job"] as string | null;
      if (row["overlap"] === "skip" && before !== null && isRunning(before)) {
        moveOn(run.move, nowMs);
        noteOverlap.run(run.id);
        return { result: "overlap", jobId: before };
      }
      const { waiting, taken, existing } = add(run.jobs, { ...run, nowMs }, transaction);
      if (waiting !== undefined) return { result: "full", waiting };
      const added = run.jobs.filter((_, index) => taken === undefined && !existing?.has(index));
      const last = added.at(-1);
      moveOn(run.move, nowMs);
      if (last !== undefined) {
        note.run(run.lastAtMs, last.id, added.length, run.id);
        return { result: "ran" };
      }
      noteOverlap.run(run.id);
      const [holder] = taken ?? existing!.values();
      return { result: "overlap", jobId: holder!.id };
    },

    move(decided: ScheduleMove, nowMs: number): boolean {
      if (!isCurrent(decided)) return false;
      moveOn(decided, nowMs);
      return true;
    },

    pause(name: string, nowMs: number): { schedule: Schedule | null; isChanged: boolean } {
      const isChanged = pause.run(nowMs, name) > 0;
      return { schedule: find(name), isChanged };
    },

    resume(
      name: string,
      { nowMs, nextAtMs }: { nowMs: number; nextAtMs: number | null },
    ): { schedule: Schedule | null; isChanged: boolean } {
      const isChanged = resume.run(nextAtMs, nowMs, name) > 0;
      return { schedule: find(name), isChanged };
    },

    remove(name: string): Schedule | null {
      const schedule = find(name);
      if (schedule !== null) remove.run(schedule.id);
      return schedule;
    },
  };
}
