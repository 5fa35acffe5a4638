/**
 * Brings a schema of a PostgreSQL database to the version that this program speaks, step by numbered
 * step, one process at a time. Refuses what this program cannot speak, and tables of some other program.
 *
 * To add a step, write a file and add it to the list; never change one that was released. A step that
 * leaves programs without it working belongs to the generation of the step before (see
 * {@link Step.startsGeneration}); others begin a new one, which programs of an older one do not touch.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { pause } from "../../lib/pause.ts";
import { LONG_ANSWER_MS, type Session, type Sql } from "./connection.ts";
import { isConflict } from "./errors.ts";
import { enter, takeOver } from "./generation.ts";
import { initial } from "./migrations/0001_initial.ts";
import type { Server } from "./server.ts";

/** How often the steps are tried while others are in the way. */
const MOST_TRIES = 10;

export interface Step {
  readonly sql: string;
  /**
   * Whether programs that do not know the step cannot work with what it leaves. They can where it only
   * adds: tables, indexes, columns that may be left out. Nothing that they name may be gone, hold other
   * values, or refuse what they write.
   */
  readonly startsGeneration: boolean;
}

/** Step n brings version n - 1 to version n. */
export const STEPS: readonly Step[] = [{ sql: initial, startsGeneration: true }];

/** Where the tables stand. */
export interface Place {
  readonly schema: string;
  /** Tells this schema's advisory locks from those of others. */
  readonly lockSpace: number;
  /** Of the tables, as this program knows them. */
  readonly generation: number;
  /** A newer program has added to them what this one does not know. */
  readonly isNewer: boolean;
}

/** The advisory locks of a schema, by the second of their numbers. Those of generations follow. */
export const LOCKS = {
  migrate: 1,
  follow: 2,
  exclusive: 3,
  fold: 4,
  depth: 5,
  depthSlots: 100,
} as const;

/** Of the tables; version 0: there are none yet. */
interface Version {
  readonly version: number;
  readonly generation: number;
}

/**
 * @param steps what this program knows.
 * @throws {StoreUnavailableError} when the schema is not ours, or is newer than this program can speak,
 * or when programs that could not speak it afterwards are using it.
 */
export async function migrate(
  session: Session,
  shown: string,
  steps: readonly Step[] = STEPS,
): Promise<Place> {
  const row = (await session.get(
    "SELECT current_schema() AS schema, hashtext('queuectl:' || current_schema()) AS lock_space",
  ))!;
  if (row["schema"] === null) {
    throw new StoreUnavailableError(
      `cannot use the database ${shown}: none of the schemas of its search_path exists`,
    );
  }
  const generation = generationOf(steps);
  const { version } = await versionOf(session, { shown, generation });
  const place = {
    schema: row["schema"] as string,
    lockSpace: row["lock_space"] as number,
    generation,
    isNewer: version > steps.length,
  };
  if (version >= steps.length) return place;
  for (let tries = 1;; tries++) {
    try {
      await takeSteps(session, { steps, place, shown });
      return place;
    } catch (error) {
      // A step and transactions of processes that go on want each other's tables: one of them gives way.
      if (!isConflict(error) || tries === MOST_TRIES) throw error;
    }
    await pause(Math.random() * 100);
  }
}

/** All that are missing, in one transaction. */
async function takeSteps(
  session: Session,
  { steps, place, shown }: { steps: readonly Step[]; place: Place; shown: string },
): Promise<void> {
  const { generation } = place;
  await session.inTransaction(async () => {
    await session.script(
      `SELECT pg_advisory_xact_lock(${place.lockSpace}, ${LOCKS.migrate})`,
      LONG_ANSWER_MS,
    );
    // Read under the lock: another process may have been in the midst of it.
    const before = await versionOf(session, { shown, generation });
    if (before.version > 0 && before.generation < generation) {
      await takeOver(before.generation, { session, place, shown });
    }
    if (before.version >= steps.length) return;
    for (const { sql } of steps.slice(before.version)) await session.script(sql, LONG_ANSWER_MS);
    await session.script(
      "CREATE TABLE IF NOT EXISTS queuectl_schema " +
        "(version integer NOT NULL, generation integer NOT NULL); DELETE FROM queuectl_schema; " +
        "INSERT INTO queuectl_schema (version, generation) " +
        `VALUES (${steps.length}, ${generation})`,
    );
  });
}

/**
 * As {@link migrate}; from here on every session that the server opens holds the tables to the
 * generation that this program speaks, and then has to pass a check.
 */
export async function enterTables(
  session: Session,
  server: Server,
  check: (session: Session) => Promise<void> = () => Promise.resolve(),
): Promise<Place> {
  const place = await migrate(session, server.shown);
  server.onOpen = async (another) => {
    await enter(another, place);
    await check(another);
  };
  await server.onOpen(session);
  return place;
}

function generationOf(steps: readonly Step[]): number {
  return steps.filter(({ startsGeneration }) => startsGeneration).length;
}

/** Changes nothing. */
async function versionOf(
  session: Session,
  { shown, generation }: { shown: string; generation: number },
): Promise<Version> {
  const { isOurs, hasJobs } = await findTables(session);
  if (isOurs) {
    const row = await session.get("SELECT version, generation FROM queuectl_schema");
    const found = row as unknown as Version;
    if (found.generation <= generation) return found;
    throw new StoreUnavailableError(
      `the database ${shown} has a schema of generation ${found.generation}, but this queuectl speaks ` +
        `generation ${generation}: a newer queuectl has made it; use that one or a later one`,
    );
  }
  if (!hasJobs) return { version: 0, generation: 0 };
  throw new StoreUnavailableError(
    `the database ${shown} holds a table jobs of another program; name another database, or another ` +
      "schema with ?options=-c%20search_path%3DNAME",
  );
}

/** Whether the schema has the tables of a queue, and a table jobs, of whatever program. */
export async function findTables(sql: Sql): Promise<{ isOurs: boolean; hasJobs: boolean }> {
  // Of one snapshot. to_regclass() answers from what the session remembers, also that there is no such
  // table, and waiting for an advisory lock does not make it look again.
  const tables = (await sql.get(
    "SELECT coalesce(bool_or(relname = 'queuectl_schema'), false) AS is_ours, " +
      "coalesce(bool_or(relname = 'jobs'), false) AS has_jobs FROM pg_class " +
      "WHERE relnamespace = quote_ident(current_schema())::regnamespace " +
      "AND relname IN ('queuectl_schema', 'jobs')",
  ))!;
  return { isOurs: tables["is_ours"] === true, hasJobs: tables["has_jobs"] === true };
}
