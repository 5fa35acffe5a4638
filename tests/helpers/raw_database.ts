/**
 * A database as no promise of the store shows it: for tests that look at what is really kept, or that
 * spoil it. Knows both backends; statements are in the words that both understand.
 */
import { DatabaseSync } from "node:sqlite";
import { isPostgresUrl } from "../../src/lib/database_url.ts";
import { execute } from "./postgres.ts";

/** Runs a statement on a connection of its own; returns its rows. */
export async function rawQuery(db: string, sql: string): Promise<Record<string, unknown>[]> {
  if (isPostgresUrl(db)) return await execute(db, sql);
  const database = new DatabaseSync(db);
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** All that is kept, as text: of a file its bytes, of a schema the rows of its tables. */
export async function keptText(db: string): Promise<string> {
  if (!isPostgresUrl(db)) return new TextDecoder("latin1").decode(await Deno.readFile(db));
  const [row] = await execute(db, "SELECT schema_to_xml(current_schema(), true, false, '') AS all");
  return String(row!["all"]);
}
