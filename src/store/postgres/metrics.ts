/** Sums for monitoring, over all processes and restarts. */
import type { MetricSum } from "../store.ts";
import type { Sql } from "./connection.ts";

/** A queue can be named anything, and a monitor keeps every name for ever: no more than these. */
const MOST_ROWS = 20_000;

export async function addMetrics(sums: readonly MetricSum[], sql: Sql): Promise<void> {
  // Summed and in one order, because two processes may add to the same rows at once.
  await sql.run(
    "INSERT INTO metrics (name, label, part, value) SELECT name, label, part, sum(value) " +
      "FROM unnest($1::text[], $2::text[], $3::text[], $4::double precision[]) " +
      "AS said (name, label, part, value) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 " +
      "ON CONFLICT (name, label, part) DO UPDATE SET value = metrics.value + excluded.value",
    sums.map(({ name }) => name),
    sums.map(({ label }) => label),
    sums.map(({ part }) => part),
    sums.map(({ value }) => value),
  );
}

export async function allMetrics(sql: Sql): Promise<MetricSum[]> {
  const rows = await sql.all(`SELECT name, label, part, value FROM metrics LIMIT ${MOST_ROWS}`);
  return rows.map((row) => ({
    name: row["name"] as MetricSum["name"],
    label: row["label"] as string,
    part: row["part"] as string,
    value: row["value"] as number,
  }));
}
