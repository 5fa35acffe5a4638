/** The part of the store's seam that counts: by state and queue, by time, for monitoring. */
import type { QueueLimits } from "../job/limits.ts";
import type { JobState } from "../job/state.ts";

export interface FigureStore {
  stats(nowMs: number): Promise<Stats>;
  /** What stands between a queue's jobs and their start, whoever might run them. */
  standing(query: StandingQuery): Promise<Standing>;
  /** What has happened in each of the last steps of time, oldest first; at most a day is kept. */
  history(query: HistoryQuery): Promise<HistoryStep[]>;

  /** Adds to sums kept for monitoring. */
  addMetrics(sums: readonly MetricSum[]): Promise<void>;
  metrics(): Promise<MetricSum[]>;
}

/** Numbers of jobs by state. */
export type StateCounts = Record<JobState, number>;

export interface Stats {
  readonly counts: StateCounts;
  readonly queues: readonly QueueStats[];
  /** Jobs finished in the last minute, by what became of them. */
  readonly lastMinute: Throughput;
  /** The same for the last hour. */
  readonly lastHour: Throughput;
  /** When the job that is due for the longest time fell due; null: none is due. */
  readonly oldestReadyAtMs: number | null;
}

/** Queues that hold jobs or of which something was said. */
export interface QueueStats {
  readonly queue: string;
  readonly counts: StateCounts;
  readonly rules: QueueRules;
  /** As in {@link Stats}, of this queue. */
  readonly oldestReadyAtMs: number | null;
}

export interface StandingQuery {
  readonly queue: string;
  /** Null: of jobs without a key. */
  readonly key: string | null;
  readonly nowMs: number;
}

/** How a queue, and one key in it, stand to their limits. */
export interface Standing {
  readonly rules: QueueRules;
  /** Jobs of the queue under a lease. */
  readonly running: number;
  /** Those of them with the key; 0 without one. */
  readonly runningOfKey: number;
  /** When its rate lets a job start again; null: now. */
  readonly nextStartAtMs: number | null;
}

/** What is said of a queue. */
export interface QueueRules extends QueueLimits {
  /** Since when its jobs are not claimed; null: they are. */
  readonly pausedAtMs: number | null;
}

export interface Throughput {
  readonly added: number;
  readonly completed: number;
  /** Attempts that failed, those of jobs that died included. */
  readonly failedAttempts: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** Steps of time, the last of which is the one that has begun. */
export interface HistoryQuery {
  readonly nowMs: number;
  readonly steps: number;
  /** A multiple of 10 s. */
  readonly stepMs: number;
}

/** What has happened from then on for the length of a step. */
export interface HistoryStep extends Throughput {
  readonly fromMs: number;
}

/** The sums that are kept for monitoring. */
export type MetricName =
  | "job_wait_seconds"
  | "job_duration_seconds"
  | "jobs_completed_total"
  | "jobs_failed_total"
  | "worker_restarts_total";

export interface MetricSum {
  readonly name: MetricName;
  /** A queue or a reason. */
  readonly label: string;
  /** Of a histogram: the upper end of a bucket, or `sum`; of a counter: empty. */
  readonly part: string;
  readonly value: number;
}
