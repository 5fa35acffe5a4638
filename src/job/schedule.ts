/**
 * What a schedule is, and its limits. Pure data: reading one from JSON is `schedule_parse.ts`, its
 * times are the business of `schedule_times.ts`.
 */

export const SCHEDULE_LIMITS = {
  /** Schedules of one database. */
  schedules: 1_000,
  everyLeastMs: 1_000,
  /** Ten years. */
  everyMostMs: 3_650 * 86_400_000,
  /** Missed times that are made up for at once; of more, the latest. */
  caughtUp: 100,
  /** Next times that are shown. */
  shown: 100,
  shownDefault: 5,
} as const;

export const CATCH_UP = ["once", "skip", "all"] as const;
/**
 * What becomes of times that passed while nothing ran. `once`: one job for all of them; `skip`: none;
 * `all`: one each, but at most {@link SCHEDULE_LIMITS.caughtUp}.
 */
export type CatchUp = (typeof CATCH_UP)[number];

export const OVERLAP = ["allow", "skip"] as const;
/** What happens at a time when the job before is not finished. */
export type Overlap = (typeof OVERLAP)[number];

/** When a schedule runs. */
export type Timing =
  | { readonly type: "cron"; readonly cron: string; readonly tz: string }
  | { readonly type: "every"; readonly everyMs: number };

/** A schedule that is to be stored. */
export interface NewSchedule {
  readonly name: string;
  readonly timing: Timing;
  readonly catchUp: CatchUp;
  readonly overlap: Overlap;
  /** The job as JSON text, as `POST /jobs` takes it. */
  readonly job: string;
}

/** A stored schedule. */
export interface Schedule extends NewSchedule {
  /** Never used twice: a schedule that takes another's name or place is another schedule. */
  readonly id: number;
  readonly createdAtMs: number;
  /** Null: it runs. */
  readonly pausedAtMs: number | null;
  /** When it runs next; null: never again. */
  readonly nextAtMs: number | null;
  /** What the clock said when that was decided. */
  readonly decidedAtMs: number;
  /** The time for which it ran last. */
  readonly lastAtMs: number | null;
  readonly lastJobId: string | null;
  /** Jobs it has made. */
  readonly runs: number;
  /** Times at which it made none, because the job before was not finished. */
  readonly overlaps: number;
}
