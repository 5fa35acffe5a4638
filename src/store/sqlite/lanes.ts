/**
 * A lane is the waiting jobs of one queue, priority and kind, those with a key apart from those
 * without; in the index they stand in the order of their due times. The due jobs of a queue are found
 * lane by lane, so that a million jobs that wait for next week, or are of a kind that nobody here
 * runs, cost a claim nothing.
 */
import { HELD_MS } from "../../job/job.ts";
import { RUNNABLE } from "../guard.ts";
import type { Connection, Statement } from "./connection.ts";

/** One queue's jobs of one priority: the kinds of those without a key, and of those with one. */
export interface Level {
  readonly priority: number;
  readonly plainKinds: readonly string[];
  readonly keyedKinds: readonly string[];
}

export interface Lane {
  readonly queue: string;
  readonly isKeyed: boolean;
  readonly priority: number;
  readonly kind: string;
}

const FROM = "FROM jobs INDEXED BY jobs_runnable WHERE " + RUNNABLE;

/** The index's second column. A parameter 1 or 0. */
const OF_QUEUE = `${FROM} AND queue = ? AND (flow_key IS NULL) = ?`;

const OF_LANE = `${OF_QUEUE} AND priority = ? AND kind = ?`;

/** The `FROM` and `WHERE` of one lane, with the parameters queue, 1 (no key) or 0, priority, kind. */
export const IN_LANE = OF_LANE;

export function prepareLanes(connection: Connection) {
  const nextQueue = connection.prepare(
    `SELECT queue ${FROM} AND queue > ? ORDER BY queue LIMIT 1`,
  );
  const firstLane = connection.prepare(
    `SELECT priority, kind ${OF_QUEUE} ORDER BY priority DESC, kind LIMIT 1`,
  );
  const nextLane = connection.prepare(
    `SELECT priority, kind ${OF_QUEUE} AND priority < ? ORDER BY priority DESC, kind LIMIT 1`,
  );
  const nextKind = connection.prepare(
    `SELECT kind ${OF_QUEUE} AND priority = ? AND kind > ? ORDER BY kind LIMIT 1`,
  );
  const firstRunAt = connection.prepare(
    `SELECT run_at ${OF_LANE} ORDER BY run_at LIMIT 1`,
  );
  const nextRunAt = connection.prepare(
    `SELECT run_at ${OF_LANE} AND run_at > ? ORDER BY run_at LIMIT 1`,
  );

  /** Every queue that holds runnable jobs, once, those after the given name first. */
  function* queues(after: string): Generator<string> {
    for (let row = nextQueue.get(after); row !== undefined;) {
      const queue = row["queue"] as string;
      yield queue;
      row = nextQueue.get(queue);
    }
    if (after === "") return;
    for (let row = nextQueue.get(""); row !== undefined;) {
      const queue = row["queue"] as string;
      if (queue > after) return;
      yield queue;
      row = nextQueue.get(queue);
    }
  }

  /** Priorities, highest first, each with its kinds. */
  function* half(queue: string, isPlain: 1 | 0): Generator<{ priority: number; kinds: string[] }> {
    let row = firstLane.get(queue, isPlain);
    while (row !== undefined) {
      const { priority, kind } = row as { priority: number; kind: string };
      const kinds = [kind];
      for (
        let more = nextKind.get(queue, isPlain, priority, kind);
        more !== undefined;
        more = nextKind.get(queue, isPlain, priority, kinds.at(-1)!)
      ) kinds.push(more["kind"] as string);
      yield { priority, kinds };
      row = nextLane.get(queue, isPlain, priority);
    }
  }

  /** The priorities of a queue's runnable jobs, highest first, each with what waits there. */
  function* levels(queue: string): Generator<Level> {
    const plain = half(queue, 1);
    const keyed = half(queue, 0);
    let one = plain.next().value;
    let other = keyed.next().value;
    while (one || other) {
      const priority = Math.max(one ? one.priority : -Infinity, other ? other.priority : -Infinity);
      const plainKinds = one?.priority === priority ? one.kinds : [];
      const keyedKinds = other?.priority === priority ? other.kinds : [];
      yield { priority, plainKinds, keyedKinds };
      if (plainKinds.length > 0) one = plain.next().value;
      if (keyedKinds.length > 0) other = keyed.next().value;
    }
  }

  const runAt = (statement: Statement, lane: Lane, ...more: number[]): number | null => {
    const { queue, isKeyed, priority, kind } = lane;
    const row = statement.get(queue, isKeyed ? 0 : 1, priority, kind, ...more);
    // What waits for other jobs is not due at any time.
    return row === undefined || row["run_at"] === HELD_MS ? null : row["run_at"] as number;
  };

  return {
    queues,
    levels,
    /** When the first job of a lane is due. */
    firstRunAt: (lane: Lane): number | null => runAt(firstRunAt, lane),
    /** When the first job of a lane is due that is not yet due; those held back never are. */
    nextRunAt: (lane: Lane, nowMs: number): number | null => runAt(nextRunAt, lane, nowMs),
  };
}

export type Lanes = ReturnType<typeof prepareLanes>;
