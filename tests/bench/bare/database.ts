/**
 * What the bare programs keep their jobs in: no more columns and indexes than the work needs. As
 * durable as queuectl: WAL, one fsync per commit.
 */
import { DatabaseSync } from "node:sqlite";

/** To submit and to read: an id, a payload, what a status tells, one index. */
export const SUBMITTED = `
  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    queue TEXT NOT NULL DEFAULT 'default',
    kind TEXT NOT NULL DEFAULT 'count',
    priority INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL DEFAULT 3,
    worker TEXT,
    run_at INTEGER NOT NULL DEFAULT 1700000000000,
    created_at INTEGER NOT NULL DEFAULT 1700000000000,
    updated_at INTEGER NOT NULL DEFAULT 1700000000000,
    started_at INTEGER,
    finished_at INTEGER,
    error TEXT
  ) STRICT;
`;

/**
 * To run: also a state, a result, and an index of what can be run. And a lease, without which nobody
 * could tell a job that runs from one whose worker is gone: who holds it, the token that fences
 * late writers off, when it expires, and an index to find those that have.
 */
export const RUNNABLE = `
  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'pending',
    payload BLOB NOT NULL,
    result INTEGER,
    lease_holder TEXT,
    lease_token INTEGER NOT NULL DEFAULT 0,
    lease_expires_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS runnable ON jobs (seq) WHERE state = 'pending';
  CREATE INDEX IF NOT EXISTS leased ON jobs (lease_expires_at) WHERE state = 'started';
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
