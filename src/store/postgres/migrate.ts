/**
 * Brings a schema of a PostgreSQL database to the version that this program speaks, step by numbered
 * step, one process at a time. Refuses a newer one, and tables of some other program. To add a step,
 * write a file and add it to the list; never change one that was released.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import type { Session } from "./connection.ts";
import { initial } from "./migrations/0001_initial.ts";

/** Step n brings version n - 1 to version n. */
const MIGRATIONS: readonly string[] = [initial];

/** The schema version that this program speaks. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Where the tables stand. */
export interface Place {
  readonly schema: string;
  /** Tells this schema's advisory locks from those of others. */
  readonly lockSpace: number;
}

/** The advisory locks of a schema, by the second of their numbers. */
export const LOCKS = { migrate: 1, follow: 2, exclusive: 3, fold: 4 } as const;

/** @throws {StoreUnavailableError} when the schema is not ours or is newer than this program. */
export async function migrate(session: Session, shown: string): Promise<Place> {
  const row = (await session.get(
    "SELECT current_schema() AS schema, hashtext('queuectl:' || current_schema()) AS lock_space",
  ))!;
  if (row["schema"] === null) {
    throw new StoreUnavailableError(
      `cannot use the database ${shown}: none of the schemas of its search_path exists`,
    );
  }
  const place = { schema: row["schema"] as string, lockSpace: row["lock_space"] as number };
  if (await versionOf(session, shown) === SCHEMA_VERSION) return place;
  await session.script("BEGIN");
  try {
    await session.get("SELECT pg_advisory_xact_lock($1::int, $2::int)", place.lockSpace, 1);
    // Read under the lock: another process may have been in the midst of it.
    const version = await versionOf(session, shown);
    for (const step of MIGRATIONS.slice(version)) await session.script(step);
    await session.script(
      "CREATE TABLE IF NOT EXISTS queuectl_schema (version integer NOT NULL); " +
        "DELETE FROM queuectl_schema; " +
        `INSERT INTO queuectl_schema (version) VALUES (${SCHEMA_VERSION})`,
    );
    await session.script("COMMIT");
  } catch (error) {
    if (!session.isLost) await session.script("ROLLBACK").catch(() => {});
    throw error;
  }
  return place;
}

/** 0: there is nothing yet. Changes nothing. */
async function versionOf(session: Session, shown: string): Promise<number> {
  // Of one snapshot. to_regclass() answers from what the session remembers, also that there is no such
  // table, and waiting for an advisory lock does not make it look again.
  const tables = (await session.get(
    "SELECT coalesce(bool_or(relname = 'queuectl_schema'), false) AS is_ours, " +
      "coalesce(bool_or(relname = 'jobs'), false) AS is_taken FROM pg_class " +
      "WHERE relnamespace = quote_ident(current_schema())::regnamespace " +
      "AND relname IN ('queuectl_schema', 'jobs')",
  ))!;
  if (tables["is_ours"] === true) {
    const row = await session.get("SELECT max(version) AS version FROM queuectl_schema");
    const version = row!["version"] as number;
    if (version <= SCHEMA_VERSION) return version;
    throw new StoreUnavailableError(
      `the database ${shown} has schema version ${version}, but this queuectl speaks up to ` +
        `${SCHEMA_VERSION}: it was written by a newer queuectl; use that one or a later one`,
    );
  }
  if (tables["is_taken"] !== true) return 0;
  throw new StoreUnavailableError(
    `the database ${shown} holds a table jobs of another program; name another database, or another ` +
      "schema with ?options=-c%20search_path%3DNAME",
  );
}
