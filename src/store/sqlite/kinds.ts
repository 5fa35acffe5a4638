/** The kinds that handlers of a user run, as processes have said since this database exists. */
import type { Connection } from "./connection.ts";

/**
 * A kind that nobody has run for so long is forgotten. Long, because jobs may be added while all
 * workers are away.
 */
const FORGET_AFTER_MS = 30 * 86_400_000;

export function prepareKinds(connection: Connection) {
  const save = connection.prepare("INSERT OR REPLACE INTO kinds (kind, seen_at) VALUES (?, ?)");
  const forget = connection.prepare("DELETE FROM kinds WHERE seen_at < ?");
  const select = connection.prepare("SELECT kind FROM kinds ORDER BY kind");

  return {
    save(kinds: readonly string[], nowMs: number): void {
      for (const kind of kinds) save.run(kind, nowMs);
      forget.run(nowMs - FORGET_AFTER_MS);
    },

    all: (): string[] => select.all().map((row) => row["kind"] as string),
  };
}
