/** Numbers about the queue, from what is kept; none of them costs a scan of the jobs. */
import { STATES } from "../../job/state.ts";
import { LEASED } from "../guard.ts";
import { NO_RULES } from "../shared/rules.ts";
import { BUCKET_MS, type Tally } from "../shared/counted.ts";
import type { HistoryQuery, HistoryStep, StateCounts, Stats, Throughput } from "../store.ts";
import type { Sql } from "./connection.ts";
import { queueLanes } from "./lanes.ts";
import { allRules } from "./limits.ts";

// One statement: what runs is counted as it is while the sums are read.
const COUNTS = "SELECT queue, state, sum(jobs) AS jobs FROM counts WHERE state <> 'leased' " +
  "GROUP BY queue, state HAVING sum(jobs) <> 0 UNION ALL " +
  `SELECT queue, state, count(*) AS jobs FROM jobs WHERE ${LEASED} GROUP BY queue, state`;

const THROUGHPUT = "SELECT what, sum(jobs) FILTER (WHERE bucket > $1) AS minute, " +
  "sum(jobs) AS hour FROM throughput WHERE bucket > $2 AND bucket <= $3 GROUP BY what";

export async function stats(nowMs: number, sql: Sql): Promise<Stats> {
  const total = emptyCounts();
  const byQueue = new Map<string, StateCounts>();
  for (const row of await sql.all(COUNTS)) {
    const [queue, state] = [row["queue"] as string, row["state"] as keyof StateCounts];
    let ofQueue = byQueue.get(queue);
    if (ofQueue === undefined) byQueue.set(queue, ofQueue = emptyCounts());
    ofQueue[state] += row["jobs"] as number;
    total[state] += row["jobs"] as number;
  }
  const rules = await allRules(sql);
  for (const queue of rules.keys()) {
    if (!byQueue.has(queue)) byQueue.set(queue, emptyCounts());
  }
  const oldest = new Map<string, number>();
  for await (const { queue, levels } of queueLanes("", nowMs, sql)) {
    for (const { firstAtMs } of levels.flatMap(({ plain, keyed }) => [...plain, ...keyed])) {
      if (firstAtMs === null || firstAtMs > nowMs) continue;
      oldest.set(queue, Math.min(oldest.get(queue) ?? firstAtMs, firstAtMs));
    }
  }
  const queues = [...byQueue].map(([queue, counts]) => {
    const { starts: _, ...said } = rules.get(queue) ?? NO_RULES;
    return { queue, counts, rules: said, oldestReadyAtMs: oldest.get(queue) ?? null };
  });
  queues.sort((one, other) => one.queue < other.queue ? -1 : 1);
  const readyTimes = queues.flatMap(({ oldestReadyAtMs: atMs }) => atMs === null ? [] : [atMs]);
  return {
    counts: total,
    queues,
    ...await throughput(nowMs, sql),
    oldestReadyAtMs: readyTimes.length === 0 ? null : Math.min(...readyTimes),
  };
}

async function throughput(
  nowMs: number,
  sql: Sql,
): Promise<Pick<Stats, "lastMinute" | "lastHour">> {
  const [lastMinute, lastHour] = [nothing(), nothing()];
  const bucketOf = (atMs: number) => Math.floor(atMs / BUCKET_MS);
  const rows = await sql.all(
    THROUGHPUT,
    bucketOf(nowMs - 60_000),
    bucketOf(nowMs - 3_600_000),
    bucketOf(nowMs),
  );
  for (const row of rows) {
    lastMinute[row["what"] as Tally] = (row["minute"] ?? 0) as number;
    lastHour[row["what"] as Tally] = row["hour"] as number;
  }
  return { lastMinute, lastHour };
}

/** Every step, oldest first, also those in which nothing happened. */
export async function history(
  { steps, stepMs, nowMs }: HistoryQuery,
  sql: Sql,
): Promise<HistoryStep[]> {
  const width = Math.max(1, Math.round(stepMs / BUCKET_MS));
  const last = Math.floor(Math.floor(nowMs / BUCKET_MS) / width);
  const first = last - steps + 1;
  const told = Array.from({ length: steps }, (_, index) => ({
    fromMs: (first + index) * width * BUCKET_MS,
    ...nothing(),
  }));
  const rows = await sql.all(
    "SELECT bucket / $1::bigint AS step, what, sum(jobs) AS jobs FROM throughput " +
      "WHERE bucket >= $2 AND bucket < $3 GROUP BY 1, 2",
    ...[width, first * width, (last + 1) * width],
  );
  for (const row of rows) {
    const step = told[(row["step"] as number) - first];
    if (step !== undefined) step[row["what"] as Tally] = row["jobs"] as number;
  }
  return told;
}

function nothing(): Record<keyof Throughput, number> {
  return { added: 0, completed: 0, failedAttempts: 0, dead: 0, cancelled: 0 };
}

function emptyCounts(): StateCounts {
  return Object.fromEntries(STATES.map((state) => [state, 0])) as StateCounts;
}
