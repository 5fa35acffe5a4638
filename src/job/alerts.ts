/**
 * When somebody should be told that something is wrong with the queue, and what they are told. Pure:
 * knows neither how the figures come nor how the word goes out.
 */
import { isoTime } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";

/** Null: not watched. */
export interface AlertRules {
  /** The job that has been due for the longest time may wait so long. */
  readonly queueLatencyMs: number | null;
  /** So many jobs may lie in the dead-letter queue. */
  readonly deadJobs: number | null;
  /** Whether jobs that are due want a live worker somewhere. */
  readonly wantsWorkers: boolean;
}

export interface AlertFigures {
  readonly nowMs: number;
  readonly oldestReadyAtMs: number | null;
  readonly deadJobs: number;
  readonly workers: number;
}

export interface Alert {
  readonly name: "queue-latency" | "dead-jobs" | "no-workers";
  readonly message: string;
}

/** What is wrong, by these rules. */
export function findAlerts(rules: AlertRules, figures: AlertFigures): Alert[] {
  const { nowMs, oldestReadyAtMs, deadJobs, workers } = figures;
  const alerts: Alert[] = [];
  const waitedMs = oldestReadyAtMs === null ? 0 : nowMs - oldestReadyAtMs;
  if (rules.queueLatencyMs !== null && waitedMs > rules.queueLatencyMs) {
    const limit = formatDuration(rules.queueLatencyMs);
    const seconds = Math.round(waitedMs / 1_000);
    const message =
      `the oldest job that is due has waited for ${seconds} s; expected at most ${limit}`;
    alerts.push({ name: "queue-latency", message });
  }
  if (rules.deadJobs !== null && deadJobs > rules.deadJobs) {
    const message = `${deadJobs} jobs are dead; expected at most ${rules.deadJobs}`;
    alerts.push({ name: "dead-jobs", message });
  }
  if (rules.wantsWorkers && workers === 0 && oldestReadyAtMs !== null) {
    alerts.push({ name: "no-workers", message: "jobs are due, and no worker lives to run them" });
  }
  return alerts;
}

/** The body of the webhook, in the shape of Standard Webhooks. */
export function alertBody(
  name: string,
  { isFiring, message, nowMs }: { isFiring: boolean; message: string | null; nowMs: number },
): string {
  return JSON.stringify({
    type: isFiring ? "alert.firing" : "alert.resolved",
    timestamp: isoTime(nowMs),
    data: { alert: name, ...(message === null ? {} : { message }) },
  });
}
