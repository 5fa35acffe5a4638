/** How a queue stands to its limits. */
import { LEASED } from "../guard.ts";
import { standingUnder } from "../shared/rules.ts";
import type { Standing, StandingQuery } from "../store.ts";
import type { Connection } from "./connection.ts";
import type { Limits } from "./limits.ts";

export function prepareStanding(connection: Connection, limits: Limits) {
  // Scans jobs_leased, which holds only what runs now.
  const running = connection.prepare(
    "SELECT count(*) AS running, count(*) FILTER (WHERE flow_key = ?) AS of_key " +
      `FROM jobs INDEXED BY jobs_leased WHERE ${LEASED} AND queue = ?`,
  );

  return ({ queue, key, nowMs }: StandingQuery): Standing => {
    const row = running.get(key, queue)!;
    const counts = {
      running: row["running"] as number,
      runningOfKey: row["of_key"] as number,
    };
    return standingUnder(limits.of(queue), counts, nowMs);
  };
}
