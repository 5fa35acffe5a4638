/** The `schedules` table: what is in it, and running a schedule's time exactly once. */
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
import { scheduleFromRow } from "../shared/schedule_row.ts";
import type { Adding } from "./add.ts";
import type { Row, Sql } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

/** So many are due in one answer; those that follow are due at once again. */
const PAGE = 100;

export async function allSchedules(sql: Sql): Promise<Schedule[]> {
  return (await sql.all("SELECT * FROM schedules ORDER BY name")).map(scheduleFromRow);
}

export async function findSchedule(name: string, sql: Sql): Promise<Schedule | null> {
  const row = await sql.get("SELECT * FROM schedules WHERE name = $1", name);
  return row === undefined ? null : scheduleFromRow(row);
}

export async function dueSchedules(nowMs: number, sql: Sql): Promise<DueSchedules> {
  const due = await sql.all(
    "SELECT * FROM schedules WHERE paused_at IS NULL AND next_at <= $1 ORDER BY next_at LIMIT $2",
    nowMs,
    PAGE,
  );
  const next = await sql.get(
    "SELECT min(next_at) AS next_at FROM schedules WHERE paused_at IS NULL AND next_at > $1",
    nowMs,
  );
  return { due: due.map(scheduleFromRow), nextAtMs: next!["next_at"] as number | null };
}

export async function addSchedule(
  { schedule, nextAtMs, nowMs, isReplacing }: ScheduleRequest,
  transaction: Transaction,
): Promise<ScheduleAddition> {
  await transaction.exclusively();
  const { name, timing, catchUp, overlap, job } = schedule;
  const before = await transaction.get("SELECT * FROM schedules WHERE name = $1 FOR UPDATE", name);
  const old = before === undefined ? null : scheduleFromRow(before);
  if (old !== null && !isReplacing) return { result: "exists" };
  if (old === null) {
    const { n } = (await transaction.get("SELECT count(*) AS n FROM schedules"))!;
    if ((n as number) >= SCHEDULE_LIMITS.schedules) return { result: "too-many" };
  } else await transaction.run("DELETE FROM schedules WHERE id = $1", old.id);
  // Who says again what is said already must not put off the next run.
  const isSameTiming = old !== null && JSON.stringify(old.timing) === JSON.stringify(timing);
  const times = isSameTiming ? old : { nextAtMs, decidedAtMs: nowMs, createdAtMs: nowMs };
  const row = await transaction.get(
    "INSERT INTO schedules (name, cron, time_zone, every_ms, catch_up, overlap, job, paused_at, " +
      'next_at, decided_at, last_at, last_job, runs, "overlaps", created_at) ' +
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING *",
    name,
    timing.type === "cron" ? timing.cron : null,
    timing.type === "cron" ? timing.tz : null,
    timing.type === "every" ? timing.everyMs : null,
    ...[catchUp, overlap, job, old?.pausedAtMs ?? null],
    ...[times.nextAtMs, times.decidedAtMs],
    ...[old?.lastAtMs ?? null, old?.lastJobId ?? null, old?.runs ?? 0, old?.overlaps ?? 0],
    times.createdAtMs,
  );
  return { result: old === null ? "added" : "replaced", schedule: scheduleFromRow(row!) };
}

export async function runSchedule(
  run: ScheduledRun,
  { nowMs, adding }: { nowMs: number; adding: Adding },
  transaction: Transaction,
): Promise<ScheduledRunResult> {
  const row = await lock(run.id, transaction);
  if (row === undefined) return { result: "lost" };
  if (run.move !== null && !isCurrent(run.move, row)) return { result: "lost" };
  if (run.jobs.length === 0) {
    await moveOn(run.move, nowMs, transaction);
    return { result: "ran" };
  }
  const before = row["last_job"] as string | null;
  if (row["overlap"] === "skip" && before !== null && await isRunning(before, transaction)) {
    await moveOn(run.move, nowMs, transaction);
    await noteOverlap(run.id, transaction);
    return { result: "overlap", jobId: before };
  }
  const addition = await adding.add(run.jobs, { ...run, nowMs }, transaction);
  const { waiting, taken, existing } = addition;
  if (waiting !== undefined) return { result: "full", waiting };
  const added = run.jobs.filter((_, index) => taken === undefined && !existing?.has(index));
  const last = added.at(-1);
  await moveOn(run.move, nowMs, transaction);
  if (last !== undefined) {
    await transaction.run(
      "UPDATE schedules SET last_at = $1, last_job = $2, runs = runs + $3 WHERE id = $4",
      ...[run.lastAtMs, last.id, added.length, run.id],
    );
    return { result: "ran" };
  }
  await noteOverlap(run.id, transaction);
  const [holder] = taken ?? existing!.values();
  return { result: "overlap", jobId: holder!.id };
}

/** Decides anew when it runs next, if nobody else has meanwhile. */
export async function moveSchedule(
  move: ScheduleMove,
  nowMs: number,
  transaction: Transaction,
): Promise<boolean> {
  const row = await lock(move.id, transaction);
  if (row === undefined || !isCurrent(move, row)) return false;
  await moveOn(move, nowMs, transaction);
  return true;
}

export async function pauseSchedule(
  name: string,
  nowMs: number,
  sql: Sql,
): Promise<{ schedule: Schedule | null; isChanged: boolean }> {
  const changed = await sql.run(
    "UPDATE schedules SET paused_at = $1 WHERE name = $2 AND paused_at IS NULL",
    nowMs,
    name,
  );
  return { schedule: await findSchedule(name, sql), isChanged: changed > 0 };
}

export async function resumeSchedule(
  name: string,
  { nowMs, nextAtMs }: { nowMs: number; nextAtMs: number | null },
  sql: Sql,
): Promise<{ schedule: Schedule | null; isChanged: boolean }> {
  const changed = await sql.run(
    "UPDATE schedules SET paused_at = NULL, next_at = $1, decided_at = $2 " +
      "WHERE name = $3 AND paused_at IS NOT NULL",
    ...[nextAtMs, nowMs, name],
  );
  return { schedule: await findSchedule(name, sql), isChanged: changed > 0 };
}

export async function removeSchedule(name: string, sql: Sql): Promise<Schedule | null> {
  const row = await sql.get("DELETE FROM schedules WHERE name = $1 RETURNING *", name);
  return row === undefined ? null : scheduleFromRow(row);
}

function lock(id: number, sql: Sql): Promise<Row | undefined> {
  return sql.get("SELECT * FROM schedules WHERE id = $1 FOR UPDATE", id);
}

/** Whether what was decided for the schedule still counts. */
function isCurrent({ fromMs }: ScheduleMove, row: Row): boolean {
  return row["paused_at"] === null && row["next_at"] === fromMs;
}

async function isRunning(jobId: string, sql: Sql): Promise<boolean> {
  const row = await sql.get("SELECT state FROM jobs WHERE id = $1", jobId);
  return row !== undefined && !isFinished(row["state"] as JobState);
}

async function moveOn(decided: ScheduleMove | null, nowMs: number, sql: Sql): Promise<void> {
  if (decided === null) return;
  await sql.run(
    "UPDATE schedules SET next_at = $1, decided_at = $2 WHERE id = $3",
    ...[decided.nextAtMs, nowMs, decided.id],
  );
}

async function noteOverlap(id: number, sql: Sql): Promise<void> {
  await sql.run('UPDATE schedules SET "overlaps" = "overlaps" + 1 WHERE id = $1', id);
}
