/** The `config` table: settings kept with the queue. */
import type { Sql } from "./connection.ts";

export async function configAll(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql.all("SELECT key, value FROM config ORDER BY key");
  return new Map(rows.map((row) => [row["key"] as string, row["value"] as string]));
}

export async function configSet(key: string, value: string, sql: Sql): Promise<void> {
  await sql.run(
    "INSERT INTO config (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
    key,
    value,
  );
}

/** Whether it was set. */
export async function configUnset(key: string, sql: Sql): Promise<boolean> {
  return await sql.run("DELETE FROM config WHERE key = $1", key) > 0;
}
