/** What has happened in steps of time, from the kept numbers; costs no look at the jobs. */
import type { HistoryQuery, HistoryStep } from "../store.ts";
import type { Connection } from "./connection.ts";
import { BUCKET_MS, type Tally } from "../shared/counted.ts";

export function prepareHistory(connection: Connection) {
  // By the primary key: 5 rows for each 10 seconds, at most a day of them.
  const select = connection.prepare(
    "SELECT CAST(bucket / CAST(? AS INTEGER) AS INTEGER) AS step, what, sum(jobs) AS jobs " +
      "FROM throughput WHERE bucket >= ? AND bucket < ? GROUP BY 1, 2",
  );

  /** Every step, oldest first, also those in which nothing happened. */
  return ({ steps, stepMs, nowMs }: HistoryQuery): HistoryStep[] => {
    const width = Math.max(1, Math.round(stepMs / BUCKET_MS));
    const last = Math.floor(Math.floor(nowMs / BUCKET_MS) / width);
    const first = last - steps + 1;
    const history = Array.from({ length: steps }, (_, index) => ({
      fromMs: (first + index) * width * BUCKET_MS,
      added: 0,
      completed: 0,
      failedAttempts: 0,
      dead: 0,
      cancelled: 0,
    }));
    for (const row of select.all(width, first * width, (last + 1) * width)) {
      const step = history[(row["step"] as number) - first];
      if (step !== undefined) step[row["what"] as Tally] = row["jobs"] as number;
    }
    return history;
  };
}
