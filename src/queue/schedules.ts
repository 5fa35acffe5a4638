/**
 * Schedules as people use them: made, looked at, paused, run now, removed; and run when their time
 * has come. Owns what becomes of a schedule's job; knows neither requests nor terminals nor timers.
 */
import { ConflictError, QueueError, QueueFullError, ScheduleNotFoundError } from "../job/errors.ts";
import { type NewJob, NO_EXTRAS } from "../job/job.ts";
import { parseNewJob, type PayloadParser } from "../job/parse.ts";
import { type Schedule, SCHEDULE_LIMITS } from "../job/schedule.ts";
import { parseNewSchedule } from "../job/schedule_parse.ts";
import { isDecidedByWrongClock, nextTime, nextTimes, planRun } from "../job/schedule_times.ts";
import { Zone } from "../job/zone.ts";
import { isoTime } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import type { DueSchedules } from "../store/schedules.ts";
import type { Queue } from "./queue.ts";
import type { Json } from "./views.ts";

export class Schedules {
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /**
   * Makes the schedule that the input describes.
   *
   * @throws {InvalidInputError} with every problem, {@link ConflictError} when its name is in use and
   * it is not to replace that one.
   */
  async add(input: unknown, by?: string): Promise<{ schedule: Schedule; isNew: boolean }> {
    const { store } = this.#queue;
    await this.#queue.learnKinds([(input as { job?: unknown } | null)?.job]);
    const context = this.#queue.parseContext();
    const { nowMs } = context;
    const { schedule, isReplacing } = parseNewSchedule(input, context);
    const nextAtMs = nextTime(schedule.timing, nowMs, nowMs);
    const request = { schedule, isReplacing, nowMs, nextAtMs };
    const addition = await store.addSchedule(request, this.#queue.sign(by));
    this.#changed();
    switch (addition.result) {
      case "exists":
        throw new ConflictError(
          `a schedule with the name ${JSON.stringify(schedule.name)} exists already; choose ` +
            'another name, or replace it (--replace, "replace": true)',
        );
      case "too-many":
        throw new ConflictError(
          `there are ${SCHEDULE_LIMITS.schedules} schedules, and no more may be; remove one first`,
        );
      default:
        return { schedule: addition.schedule, isNew: addition.result === "added" };
    }
  }

  /** By name. */
  list(): Promise<Schedule[]> {
    return this.#queue.store.schedules();
  }

  /** @throws {ScheduleNotFoundError} */
  async find(name: string): Promise<Schedule> {
    return found(await this.#queue.store.schedule(name), name);
  }

  /** Makes no jobs until it is resumed. @throws {ScheduleNotFoundError} */
  async pause(name: string, by?: string): Promise<Schedule> {
    const { store, clock } = this.#queue;
    return found(await store.pauseSchedule(name, clock(), this.#queue.sign(by)), name);
  }

  /** Goes on with the next time from now; those of the pause are over. Throws likewise. */
  async resume(name: string, by?: string): Promise<Schedule> {
    const { store, clock } = this.#queue;
    const { timing, createdAtMs } = await this.find(name);
    const nowMs = clock();
    const times = { nowMs, nextAtMs: nextTime(timing, nowMs, createdAtMs) };
    const schedule = await store.resumeSchedule(name, times, this.#queue.sign(by));
    this.#changed();
    return found(schedule, name);
  }

  /** What it has made stays. Throws likewise. */
  async remove(name: string, by?: string): Promise<Schedule> {
    const { store } = this.#queue;
    return found(await store.removeSchedule(name, this.#queue.sign(by)), name);
  }

  /**
   * Adds its job now, besides its times, and also while it is paused; returns the job's id.
   *
   * @throws {ScheduleNotFoundError} {@link ConflictError} when the job before is not finished and
   * none may run beside it, {@link QueueFullError} when too many jobs wait.
   */
  async run(name: string, by?: string): Promise<{ schedule: Schedule; jobId: string }> {
    const { store, clock, events, mostWaiting } = this.#queue;
    const schedule = await this.find(name);
    const nowMs = clock();
    const job = this.#jobOf(schedule, { atMs: nowMs, nowMs });
    const { id } = schedule;
    const run = { id, name, jobs: [job], lastAtMs: nowMs, move: null, mostWaiting };
    const running = store.runSchedule(run, nowMs, this.#queue.sign(by));
    events.emit({ type: "work.expected" });
    const ran = await running;
    switch (ran.result) {
      case "ran":
        this.#announce(name, [job]);
        return { schedule, jobId: job.id };
      case "overlap":
        throw new ConflictError(
          `the schedule ${name} was not run: its job ${ran.jobId} is not finished`,
        );
      case "full":
        throw new QueueFullError(
          `the schedule ${name} was not run: ${ran.waiting} jobs wait, and at most ` +
            `${mostWaiting} may (max-queue-depth)`,
        );
      case "lost":
        throw new ScheduleNotFoundError(name);
    }
  }

  /** Those whose time has come, and when the next one's will. */
  due(): Promise<DueSchedules> {
    return this.#queue.store.dueSchedules(this.#queue.clock());
  }

  /**
   * Does what is to be done for a schedule whose time has come, unless another process has done it.
   * False: too many jobs wait, so it has to be tried again later.
   */
  async runDue(schedule: Schedule): Promise<boolean> {
    const { store, clock, events, mostWaiting } = this.#queue;
    const { id, name } = schedule;
    const nowMs = clock();
    const plan = planRun(schedule, nowMs);
    const move = { id, fromMs: schedule.nextAtMs, nextAtMs: plan.nextAtMs };
    let jobs: NewJob[];
    try {
      jobs = this.#jobsOf(schedule, plan.timesMs, nowMs);
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      // It was right when it was made. Others must not suffer from it, nor may it be tried for ever.
      await store.moveSchedule(move, nowMs);
      events.emit({ type: "schedule.failed", schedule: name, message: error.message });
      return true;
    }
    const lastAtMs = plan.timesMs.at(-1) ?? schedule.lastAtMs;
    const running = store.runSchedule({ id, name, jobs, lastAtMs, move, mostWaiting }, nowMs);
    events.emit({ type: "work.expected" });
    const ran = await running;
    if (ran.result === "full") {
      const message = `${ran.waiting} jobs wait, and at most ${mostWaiting} may`;
      events.emit({ type: "schedule.failed", schedule: name, message });
      return false;
    }
    if (ran.result === "lost") return true;
    if (plan.isAnyMissed) {
      const sinceMs = schedule.nextAtMs!;
      events.emit({ type: "schedule.missed", schedule: name, sinceMs, jobs: jobs.length });
    }
    if (ran.result === "ran") this.#announce(name, jobs);
    else events.emit({ type: "schedule.overlapped", schedule: name, jobId: ran.jobId });
    return true;
  }

  /** Sets right what a clock decided that was far ahead; returns how many schedules it moved. */
  async rebase(): Promise<number> {
    const { store, clock } = this.#queue;
    const nowMs = clock();
    let moved = 0;
    for (const schedule of await store.schedules()) {
      if (schedule.pausedAtMs !== null || !isDecidedByWrongClock(schedule, nowMs)) continue;
      const { id, timing, createdAtMs, nextAtMs: fromMs } = schedule;
      const nextAtMs = nextTime(timing, nowMs, createdAtMs);
      if (await store.moveSchedule({ id, fromMs, nextAtMs }, nowMs)) moved++;
    }
    return moved;
  }

  #jobsOf(schedule: Schedule, timesMs: readonly number[], nowMs: number): NewJob[] {
    const jobs = timesMs.map((atMs) => this.#jobOf(schedule, { atMs, nowMs }));
    // With a unique key there can be one at a time: the latest.
    return jobs.at(-1)?.extras?.unique == null ? jobs : jobs.slice(-1);
  }

  #jobOf({ name, job }: Schedule, { atMs, nowMs }: { atMs: number; nowMs: number }): NewJob {
    const context = this.#queue.parseContext();
    const kinds = new AllKinds(context.kinds);
    const parsed = parseNewJob(JSON.parse(job), { ...context, nowMs, kinds, cwd: null });
    const extras = parsed.extras ?? NO_EXTRAS;
    const options = { ...extras.options, schedule: name, scheduledAtMs: atMs };
    return { ...parsed, extras: { ...extras, options, schedule: name } };
  }

  #announce(schedule: string, jobs: readonly NewJob[]): void {
    for (const { id, queue, kind } of jobs) {
      this.#queue.events.emit({ type: "job.added", jobId: id, queue, kind, schedule });
    }
  }

  #changed(): void {
    this.#queue.events.emit({ type: "schedules.changed" });
  }
}

/**
 * The kinds that are known here, and any other: a schedule's job was checked when it was made, and
 * who adds it need not be who can run it.
 */
class AllKinds extends Map<string, PayloadParser> {
  constructor(known: ReadonlyMap<string, PayloadParser>) {
    super(known);
  }

  override get(kind: string): PayloadParser {
    return super.get(kind) ?? ((payload) => ({ payload: JSON.stringify(payload) }));
  }
}

function found(schedule: Schedule | null, name: string): Schedule {
  if (schedule === null) throw new ScheduleNotFoundError(name);
  return schedule;
}

/** A schedule as JSON. */
export function scheduleView(schedule: Schedule): Json {
  const { timing, pausedAtMs } = schedule;
  return {
    name: schedule.name,
    cron: timing.type === "cron" ? timing.cron : null,
    tz: timing.type === "cron" ? timing.tz : null,
    every: timing.type === "every" ? formatDuration(timing.everyMs) : null,
    catch_up: schedule.catchUp,
    overlap: schedule.overlap,
    paused: pausedAtMs !== null,
    paused_at: isoTime(pausedAtMs),
    next_run_at: pausedAtMs === null ? isoTime(schedule.nextAtMs) : null,
    last_run_at: isoTime(schedule.lastAtMs),
    last_job_id: schedule.lastJobId,
    runs: schedule.runs,
    overlaps: schedule.overlaps,
    created_at: isoTime(schedule.createdAtMs),
    job: JSON.parse(schedule.job),
  };
}

/** When it runs next: the instant, and what the wall shows then where the schedule lives. */
export interface NextRun {
  readonly atMs: number;
  readonly local: string;
}

/** The next so many times from now; of a paused schedule there are none. */
export function nextRuns(schedule: Schedule, nowMs: number, count: number): NextRun[] {
  const { timing, pausedAtMs, nextAtMs } = schedule;
  if (pausedAtMs !== null || nextAtMs === null) return [];
  const zone = new Zone(timing.type === "cron" ? timing.tz : "UTC");
  // One that is due and has not been run yet counts too.
  const times = nextTimes(schedule, Math.max(nowMs, nextAtMs), count - 1);
  return [nextAtMs, ...times].slice(0, count)
    .map((atMs) => ({ atMs, local: zone.format(atMs) }));
}

export function nextRunViews(runs: readonly NextRun[]): Json[] {
  return runs.map(({ atMs, local }) => ({ at: isoTime(atMs), local }));
}
