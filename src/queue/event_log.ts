/**
 * What happens in the queue, as lines in the log. At thousands of jobs a second a line for each
 * would cost more than the job itself, so each kind of line has a budget per second, and what goes
 * beyond it is counted and reported in one line: nothing is dropped in silence.
 */
import type { JobState } from "../job/state.ts";
import { isoTime } from "../lib/clock.ts";
import type { LogFields, Logger, LogLevel } from "../lib/log.ts";
import type { EventBus, QueueEvent } from "./events.ts";

/** Lines of one kind that are written within a second. */
export const LINES_PER_SECOND = 100;

/** What was written and left out in this second. */
interface Budget {
  written: number;
  suppressed: number;
}

/** Writes the queue's events to the log until it is disposed. */
export function logEvents(
  events: EventBus,
  { log, windowMs = 1_000 }: { log: Logger; windowMs?: number },
): Disposable {
  const budgets = new Map<QueueEvent["type"], Map<JobState | undefined, Budget>>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Ends a second: says what was left out, and gives everybody a new budget. */
  const report = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const [suppressed, byState] of budgets) {
      for (const [state, budget] of byState) {
        const count = budget.suppressed;
        budget.written = budget.suppressed = 0;
        if (count > 0) log.info("log.suppressed", { suppressed, state, count });
      }
    }
  };

  const budgetOf = (type: QueueEvent["type"], state: JobState | undefined): Budget => {
    let byState = budgets.get(type);
    if (byState === undefined) budgets.set(type, byState = new Map());
    let budget = byState.get(state);
    if (budget === undefined) byState.set(state, budget = { written: 0, suppressed: 0 });
    return budget;
  };

  const subscription = events.subscribe((event) => {
    if (event.type === "work.expected" || event.type === "schedules.changed") return;
    const budget = budgetOf(event.type, "state" in event ? event.state : undefined);
    if (budget.written >= LINES_PER_SECOND) {
      budget.suppressed++;
      return;
    }
    budget.written++;
    timer ??= setTimeout(report, windowMs);
    const { level, fields } = describeEvent(event);
    log[level](event.type, fields);
  });

  return {
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
      report();
    },
  };
}

/** How serious an event is, and the facts that its line tells. */
function describeEvent(
  event: Exclude<QueueEvent, { type: "work.expected" | "schedules.changed" }>,
): { level: LogLevel; fields: LogFields } {
  switch (event.type) {
    case "job.added":
      return { level: "info", fields: { ...jobFields(event), schedule: event.schedule } };
    case "job.started":
      return {
        level: "info",
        fields: { ...jobFields(event), worker: event.worker, attempt: event.attempt },
      };
    case "job.ended":
      return {
        level: event.error === undefined || event.state === "cancelled" ? "info" : "warn",
        fields: {
          ...jobFields(event),
          worker: event.worker,
          attempt: event.attempt,
          state: event.state,
          ms: Math.round(event.durationMs),
          error: event.error?.message,
          error_code: event.error?.code,
          runs_again: isoTime(event.dueAtMs ?? null) ?? undefined,
        },
      };
    case "job.reaped":
      return {
        level: "warn",
        fields: {
          job: event.jobId,
          queue: event.queue,
          worker: event.worker ?? undefined,
          state: event.state,
          attempts: event.attempts,
        },
      };
    case "cancel.requested":
      return { level: "info", fields: { job: event.jobId } };
    case "lease.lost":
      return { level: "warn", fields: { job: event.jobId, worker: event.worker } };
    case "worker.started":
      return { level: "info", fields: { worker: event.worker, restarts: event.restarts } };
    case "worker.died":
      return {
        level: "error",
        fields: {
          worker: event.worker,
          reason: event.reason,
          message: event.message,
          pause_ms: event.pauseMs,
        },
      };
    case "schedule.missed":
      return {
        level: "warn",
        fields: {
          schedule: event.schedule,
          since: isoTime(event.sinceMs) ?? undefined,
          jobs: event.jobs,
        },
      };
    case "schedule.overlapped":
      return { level: "warn", fields: { schedule: event.schedule, running: event.jobId } };
    case "schedule.failed":
      return { level: "error", fields: { schedule: event.schedule, message: event.message } };
    case "handler.trouble":
      return { level: "error", fields: { worker: event.worker, message: event.message } };
    case "handlers.reloaded":
      return { level: "info", fields: { kinds: event.kinds.join(",") } };
    case "handlers.refused":
      return { level: "error", fields: { message: event.message } };
    case "webhook.delivered":
    case "webhook.failed":
      return {
        level: event.error === undefined ? "info" : "warn",
        fields: {
          delivery: event.deliveryId,
          job: event.jobId,
          url: event.url,
          attempt: event.attempt,
          status: event.status ?? undefined,
          error: event.error,
          retry_at: isoTime(event.retryAtMs ?? null) ?? undefined,
        },
      };
    case "webhooks.stuck":
      return { level: "error", fields: { message: event.message } };
    case "jobs.pruned":
      return { level: "info", fields: { ...event.jobs } };
    case "clock.set":
      return { level: "warn", fields: { by_ms: event.byMs } };
    case "store.unavailable":
      return { level: "error", fields: { message: event.message } };
    case "store.available":
      return { level: "info", fields: {} };
  }
}

function jobFields(event: { jobId: string; queue: string; kind: string }): LogFields {
  return { job: event.jobId, queue: event.queue, kind: event.kind };
}
