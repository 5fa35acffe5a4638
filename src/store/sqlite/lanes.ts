/**
 * A lane is the jobs of one queue and priority, in the index in the order of their due times. The
 * due jobs of a queue are found lane by lane, so that a million jobs that wait for next week cost
 * a claim nothing.
 */
import { HELD_MS } from "../../job/job.ts";
import { RUNNABLE } from "../guard.ts";
import type { Connection } from "./connection.ts";

const FROM = "FROM jobs INDEXED BY jobs_runnable WHERE " + RUNNABLE;

export function prepareLanes(connection: Connection) {
  const nextQueue = connection.prepare(
    `SELECT queue ${FROM} AND queue > ? ORDER BY queue LIMIT 1`,
  );
  const firstPriority = connection.prepare(
    `SELECT priority ${FROM} AND queue = ? ORDER BY priority DESC LIMIT 1`,
  );
  const nextPriority = connection.prepare(
    `SELECT priority ${FROM} AND queue = ? AND priority < ? ORDER BY priority DESC LIMIT 1`,
  );
  const firstRunAt = connection.prepare(
    `SELECT run_at ${FROM} AND queue = ? AND priority = ? ORDER BY run_at LIMIT 1`,
  );
  const nextRunAt = connection.prepare(
    `SELECT run_at ${FROM} AND queue = ? AND priority = ? AND run_at > ? ORDER BY run_at LIMIT 1`,
  );

  /** Queues that hold runnable jobs, those after the given name first; at most `limit`. */
  function queues(after: string, limit: number): string[] {
    const found: string[] = [];
    let previous = after;
    let hasWrapped = after === "";
    while (found.length < limit) {
      const row = nextQueue.get(previous);
      if (row === undefined) {
        if (hasWrapped) break;
        hasWrapped = true;
        previous = "";
        continue;
      }
      const queue = row["queue"] as string;
      if (found.length > 0 && queue === found[0]) break;
      if (hasWrapped && after !== "" && queue > after) break;
      found.push(queue);
      previous = queue;
    }
    return found;
  }

  /** The priorities of a queue's runnable jobs, highest first. */
  function* priorities(queue: string): Generator<number> {
    let row = firstPriority.get(queue);
    while (row !== undefined) {
      const priority = row["priority"] as number;
      yield priority;
      row = nextPriority.get(queue, priority);
    }
  }

  return {
    queues,
    priorities,
    /** When the first job of a lane is due. */
    firstRunAt: (queue: string, priority: number): number | null =>
      (firstRunAt.get(queue, priority)?.["run_at"] as number | undefined) ?? null,
    /** When the first job of a lane is due that is not yet due; those held back never are. */
    nextRunAt(queue: string, priority: number, nowMs: number): number | null {
      const atMs = nextRunAt.get(queue, priority, nowMs)?.["run_at"] as number | undefined;
      return atMs === undefined || atMs === HELD_MS ? null : atMs;
    },
  };
}

export type Lanes = ReturnType<typeof prepareLanes>;
