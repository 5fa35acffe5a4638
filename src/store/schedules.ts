/**
 * The part of the store's seam that keeps schedules. What is to happen when is decided above, from
 * the time that `nextAtMs` says; here it happens once, whoever else has decided the same.
 */
import type { NewJob } from "../job/job.ts";
import type { NewSchedule, Schedule } from "../job/schedule.ts";
import type { Signature } from "./audit.ts";

export interface ScheduleStore {
  /** Keeps a schedule. One that takes another's place goes on counting where that one was. */
  addSchedule(request: ScheduleRequest, signed?: Signature): Promise<ScheduleAddition>;
  /** All of them, by name. */
  schedules(): Promise<Schedule[]>;
  schedule(name: string): Promise<Schedule | null>;
  /** Schedules that are not paused: those whose time has come, and when the next one's will. */
  dueSchedules(nowMs: number): Promise<DueSchedules>;

  /**
   * Adds a schedule's jobs and moves it on to its next time: both or neither. Of several that want
   * to do so for the same time one does it, and the others get `lost`.
   */
  runSchedule(run: ScheduledRun, nowMs: number, signed?: Signature): Promise<ScheduledRunResult>;

  /** Decides anew when it runs next, if nobody else has meanwhile. */
  moveSchedule(move: ScheduleMove, nowMs: number): Promise<boolean>;
  /** The schedule as it is then, or null when there is none. A paused one stays as it is. */
  pauseSchedule(name: string, nowMs: number, signed?: Signature): Promise<Schedule | null>;
  /** Ends a pause; `nextAtMs` is from when on it counts. Likewise. */
  resumeSchedule(
    name: string,
    times: { readonly nowMs: number; readonly nextAtMs: number | null },
    signed?: Signature,
  ): Promise<Schedule | null>;
  /** The schedule as it was; its jobs stay. */
  removeSchedule(name: string, signed?: Signature): Promise<Schedule | null>;
}

export interface ScheduleRequest {
  readonly schedule: NewSchedule;
  readonly nextAtMs: number | null;
  readonly nowMs: number;
  /** Whether it may take the place of one that has its name. */
  readonly isReplacing: boolean;
}

/** `exists`: another one has its name; `too-many`: as many as may be are there. Then nothing is kept. */
export type ScheduleAddition =
  | { readonly result: "added" | "replaced"; readonly schedule: Schedule }
  | { readonly result: "exists" | "too-many" };

export interface DueSchedules {
  readonly due: readonly Schedule[];
  readonly nextAtMs: number | null;
}

export interface ScheduleMove {
  readonly id: number;
  /** The time that was decided before. */
  readonly fromMs: number | null;
  readonly nextAtMs: number | null;
}

export interface ScheduledRun extends Pick<Schedule, "id" | "name"> {
  /** The times, oldest first, each with its job; none where missed times are passed over. */
  readonly jobs: readonly NewJob[];
  readonly lastAtMs: number | null;
  /** Null: somebody wants it now, whenever it is due and whether it is paused. */
  readonly move: ScheduleMove | null;
  /** How many jobs may wait for a worker; null: any number. */
  readonly mostWaiting: number | null;
}

export type ScheduledRunResult =
  | { readonly result: "ran" }
  /** None was added: the job before is not finished, or another one has its unique key. */
  | { readonly result: "overlap"; readonly jobId: string }
  /** It was done, changed or removed by somebody else. */
  | { readonly result: "lost" }
  /** Too many jobs wait; nothing was done, so that it can be done later. */
  | { readonly result: "full"; readonly waiting: number };
