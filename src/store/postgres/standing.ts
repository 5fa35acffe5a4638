/** How a queue stands to its limits. */
import { LEASED } from "../guard.ts";
import { standingUnder } from "../shared/rules.ts";
import type { Standing, StandingQuery } from "../store.ts";
import type { Sql } from "./connection.ts";
import { rulesOf } from "./limits.ts";

export async function standing(
  { queue, key, nowMs }: StandingQuery,
  sql: Sql,
): Promise<Standing> {
  // Scans jobs_leased, which holds only what runs now.
  const row = await sql.get(
    "SELECT count(*) AS running, count(*) FILTER (WHERE flow_key = $2::text) AS of_key " +
      `FROM jobs WHERE ${LEASED} AND queue = $1`,
    queue,
    key,
  );
  const counts = {
    running: row!["running"] as number,
    runningOfKey: row!["of_key"] as number,
  };
  return standingUnder(await rulesOf(queue, sql), counts, nowMs);
}
