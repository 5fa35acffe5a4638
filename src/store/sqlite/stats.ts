/** Numbers about the queue, from what is kept; none of them costs a scan of the jobs. */
import { STATES } from "../../job/state.ts";
import { LEASED } from "../guard.ts";
import type { StateCounts, Stats, Throughput } from "../store.ts";
import type { Connection } from "./connection.ts";
import type { Lanes } from "./lanes.ts";
import { NO_RULES } from "../shared/rules.ts";
import { type Limits } from "./limits.ts";
import { BUCKET_MS, type Tally } from "../shared/counted.ts";

export function prepareStats(connection: Connection, lanes: Lanes, limits: Limits) {
  const counts = connection.prepare(
    "SELECT queue, state, jobs FROM counts WHERE jobs <> 0 ORDER BY queue",
  );
  const leased = connection.prepare(
    "SELECT queue, state, count(*) AS jobs FROM jobs INDEXED BY jobs_leased " +
      `WHERE ${LEASED} GROUP BY queue, state`,
  );
  const throughput = connection.prepare(
    "SELECT what, sum(jobs) AS jobs FROM throughput WHERE bucket > ? AND bucket <= ? GROUP BY what",
  );

  function happenedSince(sinceMs: number, nowMs: number): Throughput {
    const total: Record<Tally, number> = {
      added: 0,
      completed: 0,
      failedAttempts: 0,
      dead: 0,
      cancelled: 0,
    };
    const last = Math.floor(nowMs / BUCKET_MS);
    for (const row of throughput.all(Math.floor(sinceMs / BUCKET_MS), last)) {
      total[row["what"] as Tally] = row["jobs"] as number;
    }
    return total;
  }

  /** When the job of the queue that has been due for the longest time fell due. */
  function oldestReadyAtMs(queue: string, nowMs: number): number | null {
    let oldestMs: number | null = null;
    for (const { priority, plainKinds, keyedKinds } of lanes.levels(queue)) {
      for (const isKeyed of [false, true]) {
        for (const kind of isKeyed ? keyedKinds : plainKinds) {
          const runAtMs = lanes.firstRunAt({ queue, isKeyed, priority, kind });
          if (runAtMs !== null && runAtMs <= nowMs) {
            oldestMs = Math.min(oldestMs ?? runAtMs, runAtMs);
          }
        }
      }
    }
    return oldestMs;
  }

  return (nowMs: number): Stats => {
    const total = emptyCounts();
    const byQueue = new Map<string, StateCounts>();
    const add = (queue: string, state: keyof StateCounts, jobs: number) => {
      let ofQueue = byQueue.get(queue);
      if (ofQueue === undefined) byQueue.set(queue, ofQueue = emptyCounts());
      ofQueue[state] += jobs;
      total[state] += jobs;
    };
    for (const row of counts.all()) {
      if (row["state"] === "leased") continue;
      add(row["queue"] as string, row["state"] as keyof StateCounts, row["jobs"] as number);
    }
    for (const row of leased.all()) {
      add(row["queue"] as string, row["state"] as keyof StateCounts, row["jobs"] as number);
    }
    const rules = limits.all();
    for (const queue of rules.keys()) {
      if (!byQueue.has(queue)) byQueue.set(queue, emptyCounts());
    }
    const queues = [...byQueue].map(([queue, ofQueue]) => {
      const { starts: _, ...said } = rules.get(queue) ?? NO_RULES;
      const oldestMs = oldestReadyAtMs(queue, nowMs);
      return { queue, counts: ofQueue, rules: said, oldestReadyAtMs: oldestMs };
    });
    queues.sort((one, other) => one.queue < other.queue ? -1 : 1);
    return {
      counts: total,
      queues,
      lastMinute: happenedSince(nowMs - 60_000, nowMs),
      lastHour: happenedSince(nowMs - 3_600_000, nowMs),
      oldestReadyAtMs: queues.reduce<number | null>(
        (oldestMs, { oldestReadyAtMs: atMs }) =>
          atMs === null ? oldestMs : Math.min(oldestMs ?? atMs, atMs),
        null,
      ),
    };
  };
}

function emptyCounts(): StateCounts {
  return Object.fromEntries(STATES.map((state) => [state, 0])) as StateCounts;
}
