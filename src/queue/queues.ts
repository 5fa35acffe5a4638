/**
 * What can be done with the lanes that jobs wait in: pause them, limit them, look at them. Owns the
 * meaning of a change and the JSON shape; knows neither requests nor terminals nor SQL.
 */
import { QueueNotFoundError } from "../job/errors.ts";
import { assertQueueName, type LimitsChange } from "../job/limits.ts";
import { isoTime } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import type { QueueRules, QueueStats } from "../store/store.ts";
import type { Queue } from "./queue.ts";
import { countsView, type Json } from "./views.ts";

/** Every queue that holds jobs or of which something is said, by name. */
export async function listQueues(queue: Queue): Promise<readonly QueueStats[]> {
  return (await queue.stats()).queues;
}

/** @throws {QueueNotFoundError} when it holds no job and nothing is said of it. */
export async function findQueue(queue: Queue, name: string): Promise<QueueStats> {
  const found = (await listQueues(queue)).find((one) => one.queue === name);
  if (found === undefined) throw new QueueNotFoundError(name);
  return found;
}

/**
 * Stops claims of its jobs, or allows them again; what runs goes on. Doing it twice changes nothing.
 *
 * @throws {InvalidInputError} when no queue can be called that.
 */
export async function pauseQueue(
  queue: Queue,
  name: string,
  { isPaused, by }: { isPaused: boolean; by?: string },
): Promise<QueueRules> {
  assertQueueName(name);
  return await queue.store.changeQueue(name, { isPaused }, queue.clock(), queue.sign(by));
}

/** Sets limits, which count for every process at once. Throws as {@link pauseQueue} does. */
export async function limitQueue(
  queue: Queue,
  name: string,
  { change, by }: { change: LimitsChange; by?: string },
): Promise<QueueRules> {
  assertQueueName(name);
  return await queue.store.changeQueue(name, change, queue.clock(), queue.sign(by));
}

/** What is said of a queue. */
export function rulesView({ pausedAtMs, maxRunning, rate, keyMaxRunning }: QueueRules): Json {
  return {
    paused: pausedAtMs !== null,
    paused_at: isoTime(pausedAtMs),
    max_running: maxRunning,
    rate: rate === null
      ? null
      : { limit: rate.limit, period: formatDuration(rate.periodMs), period_ms: rate.periodMs },
    key_max_running: keyMaxRunning,
  };
}

/** A queue with its jobs and what is said of it. */
export function queueView(stats: QueueStats, nowMs: number): Json {
  const { queue, counts, rules, oldestReadyAtMs } = stats;
  return {
    queue,
    jobs: countsView(counts),
    running: counts.started + counts.processing,
    ...rulesView(rules),
    oldest_ready: oldestReadyAtMs === null ? null : {
      run_at: isoTime(oldestReadyAtMs),
      waiting_ms: Math.max(0, nowMs - oldestReadyAtMs),
    },
  };
}
