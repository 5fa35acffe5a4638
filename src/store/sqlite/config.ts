/** The `config` table: settings kept with the queue. */
import type { Connection } from "./connection.ts";

export function prepareConfig(connection: Connection) {
  const all = connection.prepare("SELECT key, value FROM config ORDER BY key");
  const set = connection.prepare("INSERT OR REPLACE INTO config (key, value) VALUES (?, ?)");
  const unset = connection.prepare("DELETE FROM config WHERE key = ?");
  return {
    all: (): Map<string, string> =>
      new Map(all.all().map((row) => [row["key"] as string, row["value"] as string])),
    set: (key: string, value: string): void => void set.run(key, value),
    unset: (key: string): boolean => unset.run(key) > 0,
  };
}
