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

/** Priority and whether there is a key, as the index has it: a rank, odd for jobs without a key. */
const RANK = "(priority * 2 + (flow_key IS NULL))";

/** The parameter for {@link IN_LANE}. */
export function rankOf({ priority, isKeyed }: { priority: number; isKeyed: boolean }): number {
  return priority * 2 + (isKeyed ? 0 : 1);
}

/** The `FROM` and `WHERE` of one lane, with the parameters queue, rank, kind. */
export const IN_LANE = `${FROM} AND queue = ? AND ${RANK} = ? AND kind = ?`;

export function prepareLanes(connection: Connection) {
  const nextQueue = connection.prepare(
    `SELECT queue ${FROM} AND queue > ? ORDER BY queue LIMIT 1`,
  );
  const firstLane = connection.prepare(
    `SELECT ${RANK} AS rank, kind ${FROM} AND queue = ? ORDER BY ${RANK} DESC, kind LIMIT 1`,
  );
  const nextLane = connection.prepare(
    `SELECT ${RANK} AS rank, kind ${FROM} AND queue = ? AND ${RANK} < ? ` +
      `ORDER BY ${RANK} DESC, kind LIMIT 1`,
  );
  const nextKind = connection.prepare(
    `SELECT kind ${FROM} AND queue = ? AND ${RANK} = ? AND kind > ? ORDER BY kind LIMIT 1`,
  );
  const firstRunAt = connection.prepare(`SELECT run_at ${IN_LANE} ORDER BY run_at LIMIT 1`);
  const nextRunAt = connection.prepare(
    `SELECT run_at ${IN_LANE} AND run_at > ? ORDER BY run_at LIMIT 1`,
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

  function kindsOf(queue: string, rank: number, first: string): string[] {
    const kinds = [first];
    while (true) {
      const row = nextKind.get(queue, rank, kinds.at(-1)!);
      if (row === undefined) return kinds;
      kinds.push(row["kind"] as string);
    }
  }

  /** The priorities of a queue's runnable jobs, highest first, each with what waits there. */
  function* levels(queue: string): Generator<Level> {
    let row = firstLane.get(queue);
    while (row !== undefined) {
      const rank = row["rank"] as number;
      const isKeyed = rank % 2 === 0;
      const priority = Math.floor(rank / 2);
      const kinds = kindsOf(queue, rank, row["kind"] as string);
      row = nextLane.get(queue, rank);
      if (!isKeyed && row?.["rank"] === rank - 1) {
        // The keyed jobs of the same priority come next.
        const keyedKinds = kindsOf(queue, rank - 1, row["kind"] as string);
        row = nextLane.get(queue, rank - 1);
        yield { priority, plainKinds: kinds, keyedKinds };
      } else {
        yield { priority, plainKinds: isKeyed ? [] : kinds, keyedKinds: isKeyed ? kinds : [] };
      }
    }
  }

  const runAt = (statement: Statement, lane: Lane, ...more: number[]): number | null => {
    const row = statement.get(lane.queue, rankOf(lane), lane.kind, ...more);
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
