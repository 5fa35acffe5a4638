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
/** Of the second half, which is read before it is known whether it is wanted. */
const PAGE_AHEAD = 8;

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
  const pages = new Pages(nowMs, sql);
  if (after === "") return yield* queuesFrom(pages.first("", FIRST_PAGE), pages);
  const first = pages.first(after, FIRST_PAGE);
  const ahead = pages.first("", PAGE_AHEAD); // in the same round trip
  ahead.rows.catch(() => {}); // the first one is told of the same error
  yield* queuesFrom(first, pages);
  yield* queuesFrom(ahead, pages, after);
}

interface Page {
  readonly size: number;
  readonly rows: Promise<Row[]>;
}

class Pages {
  readonly #nowMs: number;
  readonly #sql: Sql;

  constructor(nowMs: number, sql: Sql) {
    this.#nowMs = nowMs;
    this.#sql = sql;
  }

  /** Lanes of the queues after that one. */
  first(after: string, size: number): Page {
    return this.#read(after, LAST_RANK, "", size);
  }

  next({ queue, rank, kind }: Lane, { size }: Page): Page {
    return this.#read(queue, rank, kind, Math.min(size * 4, LARGEST_PAGE));
  }

  #read(queue: string, rank: number, kind: string, size: number): Page {
    return { size, rows: this.#sql.all(PAGE, queue, rank, kind, this.#nowMs, size) };
  }
}

async function* queuesFrom(
  first: Page,
  pages: Pages,
  through?: string,
): AsyncGenerator<QueueLanes> {
  let lanes: Lane[] = [];
  for (let page = first;;) {
    const rows = await page.rows;
    for (const row of rows) {
      const lane = laneFromRow(row);
      if (lanes.length > 0 && lanes[0]!.queue !== lane.queue) {
        yield asQueue(lanes);
        lanes = [];
      }
      if (through !== undefined && !isUpTo(lane.queue, through)) return;
      lanes.push(lane);
    }
    if (rows.length < page.size) break;
    page = pages.next(lanes.at(-1)!, page);
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
