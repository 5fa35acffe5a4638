/** Pauses a process of the program where that harms nobody else. Knows no job. */
import { DatabaseSync } from "node:sqlite";
import { isPostgresUrl } from "../../src/lib/database_url.ts";
import type { Service } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { execute } from "./postgres.ts";
import { isPaused } from "./processes.ts";

/**
 * Pauses the process at a moment when it holds no lock: one that is paused inside of a commit keeps
 * every other from writing, as SQLite has it, and nobody could take its jobs over before it wakes.
 */
export async function pauseBetweenCommits(service: Service, db: string): Promise<void> {
  await eventually(async () => {
    service.signal("SIGSTOP");
    await eventually(() => isPaused(service.pid), { what: "the process stood still", everyMs: 1 });
    if (isPostgresUrl(db) ? await isNobodyWriting(db) : canWrite(db)) return true;
    service.signal("SIGCONT");
    return false;
  }, { what: "the process was paused between two commits" });
}

/** Whoever has read or written a table in a transaction holds a lock on it until the end of that. */
async function isNobodyWriting(url: string): Promise<boolean> {
  const [row] = await execute(
    url,
    "SELECT count(*)::int AS locks FROM pg_locks JOIN pg_class ON pg_class.oid = relation " +
      "WHERE relnamespace = current_schema()::regnamespace",
  );
  return row!["locks"] === 0;
}

function canWrite(db: string): boolean {
  const database = new DatabaseSync(db);
  try {
    database.exec("PRAGMA busy_timeout = 0");
    database.exec("BEGIN IMMEDIATE");
    database.exec("ROLLBACK");
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
