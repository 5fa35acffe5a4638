/** Sums for monitoring, over all processes and restarts. */
import type { MetricSum } from "../store.ts";
import type { Connection } from "./connection.ts";

/** A queue can be named anything, and a monitor keeps every name for ever: no more than these. */
const MOST_ROWS = 20_000;

export function prepareMetrics(connection: Connection) {
  const add = connection.prepare(
    "INSERT INTO metrics (name, label, part, value) VALUES (?, ?, ?, ?) " +
      "ON CONFLICT (name, label, part) DO UPDATE SET value = value + excluded.value",
  );
  const select = connection.prepare(
    `SELECT name, label, part, value FROM metrics LIMIT ${MOST_ROWS}`,
  );

  return {
    add(sums: readonly MetricSum[]): void {
      for (const { name, label, part, value } of sums) add.run(name, label, part, value);
    },
    all: (): MetricSum[] =>
      select.all().map((row) => ({
        name: row["name"] as MetricSum["name"],
        label: row["label"] as string,
        part: row["part"] as string,
        value: row["value"] as number,
      })),
  };
}
