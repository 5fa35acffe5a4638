/**
 * What the bare programs keep their jobs in: no more columns and indexes than the work needs. As
 * durable as queuectl: WAL, one fsync per commit.
 */
import { DatabaseSync } from "node:sqlite";

/** To submit and to read: an id, a payload, one index. */
export const SUBMITTED = `
  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    payload BLOB NOT NULL
  ) STRICT;
`;

/** To run: also a state, a result, and an index of what can be run. */
export const RUNNABLE = `
  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'pending',
    payload BLOB NOT NULL,
    result INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS runnable ON jobs (seq) WHERE state = 'pending';
`;

/** Held here: Deno 2.4 collects a database of which only its statements are still in use. */
const opened: DatabaseSync[] = [];

export function openBare(path: string, schema: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA busy_timeout = 5000");
  database.prepare("PRAGMA journal_mode = WAL").get();
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA wal_autocheckpoint = 4000");
  database.exec(schema);
  opened.push(database);
  return database;
}

let lastId = Date.now() * 1_000;

/** Ids that rise, as ours do: random ones would cost the index more. */
export function bareId(): string {
  return (++lastId).toString(16).padStart(32, "0");
}
