/**
 * Why a job that is due has not started: nobody is there to run it, or what was said of its queue
 * holds it back. Owns the order in which reasons count, and the words; changes nothing.
 *
 * Invariant: a job that is not waiting, or not due yet, has no obstacle.
 */
import type { Job } from "../job/job.ts";
import { formatRate } from "../job/limits.ts";
import type { RateLimit } from "../job/rate.ts";
import { isoTime } from "../lib/clock.ts";
import type { Standing, WorkerStatus } from "../store/store.ts";
import type { Queue } from "./queue.ts";

export type Obstacle =
  | { readonly type: "no-worker" }
  | { readonly type: "kind"; readonly kind: string }
  | { readonly type: "paused"; readonly queue: string; readonly sinceMs: number }
  | { readonly type: "running"; readonly queue: string; readonly most: number }
  | {
    readonly type: "rate";
    readonly queue: string;
    readonly rate: RateLimit;
    readonly nextAtMs: number;
  }
  | { readonly type: "key"; readonly queue: string; readonly most: number }
  | { readonly type: "busy" };

/** What keeps the job from starting now; null: nothing, or it is not to start yet. */
export async function findObstacle(job: Job, queue: Queue): Promise<Obstacle | null> {
  const nowMs = queue.clock();
  if (!isDue(job, nowMs)) return null;
  const { queue: name, key } = job;
  const [standing, workers] = await Promise.all([
    queue.store.standing({ queue: name, key, nowMs }),
    queue.workers(),
  ]);
  return obstacleOf(job, standing, workers);
}

/** The same, from what is known. */
export function obstacleOf(
  { queue, key, kind }: Job,
  { rules, running, runningOfKey, nextStartAtMs }: Standing,
  workers: readonly WorkerStatus[],
): Obstacle | null {
  const { pausedAtMs, maxRunning, rate, keyMaxRunning } = rules;
  if (pausedAtMs !== null) return { type: "paused", queue, sinceMs: pausedAtMs };
  const staying = workers.filter(({ status }) => status !== "draining");
  if (staying.length === 0) return { type: "no-worker" };
  const able = staying.filter(({ kinds }) => kinds === undefined || kinds.includes(kind));
  if (able.length === 0) return { type: "kind", kind };
  if (maxRunning !== null && running >= maxRunning) {
    return { type: "running", queue, most: maxRunning };
  }
  if (rate !== null && nextStartAtMs !== null) {
    return { type: "rate", queue, rate, nextAtMs: nextStartAtMs };
  }
  if (key !== null && keyMaxRunning !== null && runningOfKey >= keyMaxRunning) {
    return { type: "key", queue, most: keyMaxRunning };
  }
  return able.every(({ jobId }) => jobId !== null) ? { type: "busy" } : null;
}

/** In one short sentence. */
export function describeObstacle(obstacle: Obstacle): string {
  switch (obstacle.type) {
    case "no-worker":
      return "no worker is running";
    case "kind":
      return `no running worker has a handler for the kind ${obstacle.kind}`;
    case "paused":
      return `its queue ${obstacle.queue} is paused`;
    case "running":
      return `its queue ${obstacle.queue} runs as many jobs as it may at once ` +
        `(max_running ${obstacle.most})`;
    case "rate":
      return `its queue ${obstacle.queue} has started as many jobs as it may ` +
        `(rate ${formatRate(obstacle.rate)}); the next may start at ${isoTime(obstacle.nextAtMs)}`;
    case "key":
      return `as many jobs with its key run as may at once in its queue ${obstacle.queue} ` +
        `(key_max_running ${obstacle.most})`;
    case "busy":
      return "every worker that could run it is busy";
  }
}

function isDue({ state, runAtMs }: Job, nowMs: number): boolean {
  return (state === "pending" || state === "failed") && runAtMs <= nowMs;
}
