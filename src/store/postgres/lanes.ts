/**
 * Lanes, as in SQLite: the waiting jobs of one queue, priority and kind, those with a key apart. All of
 * a queue's lanes, with when their first job is due, are read at once, by jumping through the index
 * jobs_runnable from one to the next: so that a million jobs of one lane cost no more than one.
 */
import { HELD_MS } from "../../job/job.ts";
import { RUNNABLE } from "../guard.ts";
import type { Row, Sql } from "./connection.ts";

/** The waiting jobs of one queue, priority and kind. */
export interface Lane {
  readonly queue: string;
  readonly rank: number;
  readonly priority: number;
  readonly isKeyed: boolean;
  readonly kind: string;
  /** When its first job is due; null: it waits for other jobs. */
  readonly firstAtMs: number | null;
  /** The first job's number, or one before it. */
  readonly firstSeq: number;
  /** When the first job is due that is not yet. */
  readonly nextAtMs: number | null;
}

/** One queue's jobs of one priority. */
export interface Level {
  readonly priority: number;
  readonly plain: readonly Lane[];
  readonly keyed: readonly Lane[];
}

export interface QueueLanes {
  readonly queue: string;
  readonly levels: readonly Level[];
}

/** Lanes read at once: a few first, since often a few are all. */
const FIRST_PAGE = 32;
const LARGEST_PAGE = 2_048;

/** Ranks are smaller than these and larger than their opposites. */
const LAST_RANK = 2_147_483_647;

// The first entry of a lane, where the jump ends, is that of its first job.
const NEXT =
  `SELECT queue, rank, kind, run_at FROM jobs WHERE ${RUNNABLE} AND (queue, rank, kind) >`;
const ORDER = "ORDER BY queue, rank, kind, run_at LIMIT 1";
const IN_LANE = `FROM jobs WHERE ${RUNNABLE} AND queue = lanes.queue AND rank = lanes.rank ` +
  "AND kind = lanes.kind";

const PAGE = "WITH RECURSIVE lanes (queue, rank, kind, first_at) AS (" +
  `(${NEXT} ($1::text COLLATE "C", $2::integer, $3::text COLLATE "C") ${ORDER}) ` +
  "UNION ALL SELECT following.* FROM lanes CROSS JOIN LATERAL (" +
  `${NEXT} (lanes.queue, lanes.rank, lanes.kind) ${ORDER}) AS following) ` +
  "SELECT lanes.*, later.run_at AS next_at FROM lanes " +
  `LEFT JOIN LATERAL (SELECT run_at ${IN_LANE} AND run_at > $4 ORDER BY run_at LIMIT 1) AS later ` +
  "ON true LIMIT $5";

/** Every queue that holds runnable jobs, once, those after the given name first. */
export async function* queueLanes(
  after: string,
  nowMs: number,
  sql: Sql,
): AsyncGenerator<QueueLanes> {
  yield* queuesFrom(after, { nowMs }, sql);
  if (after !== "") yield* queuesFrom("", { nowMs, through: after }, sql);
}

async function* queuesFrom(
  after: string,
  { nowMs, through }: { nowMs: number; through?: string },
  sql: Sql,
): AsyncGenerator<QueueLanes> {
  let last = { queue: after, rank: LAST_RANK, kind: "" };
  let lanes: Lane[] = [];
  for (let size = FIRST_PAGE;; size = Math.min(size * 4, LARGEST_PAGE)) {
    const rows = await sql.all(PAGE, last.queue, last.rank, last.kind, nowMs, size);
    for (const row of rows) {
      const lane = laneFromRow(row);
      if (lanes.length > 0 && lanes[0]!.queue !== lane.queue) {
        yield asQueue(lanes);
        lanes = [];
      }
      if (through !== undefined && !isUpTo(lane.queue, through)) return;
      lanes.push(lane);
      last = lane;
    }
    if (rows.length < size) break;
  }
  if (lanes.length > 0) yield asQueue(lanes);
}

/** Names of queues are plain ASCII: code units and bytes sort alike. */
const isUpTo = (queue: string, through: string) => queue <= through;

function asQueue(lanes: readonly Lane[]): QueueLanes {
  const levels = new Map<number, { plain: Lane[]; keyed: Lane[] }>();
  for (const lane of lanes) {
    let level = levels.get(lane.priority);
    if (level === undefined) levels.set(lane.priority, level = { plain: [], keyed: [] });
    (lane.isKeyed ? level.keyed : level.plain).push(lane);
  }
  return {
    queue: lanes[0]!.queue,
    levels: [...levels].map(([priority, level]) => ({ priority, ...level })),
  };
}

function laneFromRow(row: Row): Lane {
  const rank = row["rank"] as number;
  const isKeyed = rank % 2 === 0;
  const [firstAt, nextAt] = [row["first_at"] as number, row["next_at"] as number | null];
  return {
    queue: row["queue"] as string,
    rank,
    isKeyed,
    priority: isKeyed ? -rank / 2 + 0 : -(rank + 1) / 2 + 0,
    kind: row["kind"] as string,
    firstAtMs: firstAt === HELD_MS ? null : firstAt,
    firstSeq: 0,
    nextAtMs: nextAt === HELD_MS ? null : nextAt,
  };
}
