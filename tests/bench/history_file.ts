/**
 * A database with a long history. Written by plain SQL in one transaction: a million jobs in
 * seconds. Knows the tables of queuectl's first schema, the kept counts included; the program itself
 * creates them.
 */
import { DatabaseSync } from "node:sqlite";

/** Adds finished jobs, the oldest first. The file must have been created by queuectl. */
export function addHistory(path: string, jobs: number): void {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA synchronous = OFF");
    database.exec("PRAGMA cache_size = -262144");
    database.exec("BEGIN IMMEDIATE");
    const startMs = Date.now() - jobs;
    // Ids rise with time, as those of version 7 do. One job in a hundred is dead.
    database.prepare(`
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
      INSERT INTO jobs (id, queue, kind, state, priority, run_at, attempts, max_retries,
        lease_holder, lease_worker, lease_token, last_error, created_at, updated_at, started_at,
        finished_at, result, payload)
      SELECT printf('%032x', n), 'default', 'count', iif(n % 100 = 0, 'dead', 'completed'), 0,
        CAST(? AS INTEGER) + n, iif(n % 100 = 0, 4, 0), 3, 'history', 'w-1', 1,
        iif(n % 100 = 0, '{"code":"thrown","message":"on purpose"}', NULL),
        CAST(? AS INTEGER) + n, CAST(? AS INTEGER) + n + 2, CAST(? AS INTEGER) + n + 1,
        CAST(? AS INTEGER) + n + 2, iif(n % 100 = 0, NULL, '{"characters":100}'), zeroblob(100)
      FROM numbers
    `).run(jobs, startMs, startMs, startMs, startMs, startMs);
    const dead = Math.floor(jobs / 100);
    const count = database.prepare(
      "INSERT INTO counts (queue, state, jobs) VALUES ('default', ?, CAST(? AS INTEGER)) " +
        "ON CONFLICT (queue, state) DO UPDATE SET jobs = jobs + excluded.jobs",
    );
    count.run("completed", jobs - dead);
    count.run("dead", dead);
    database.exec("COMMIT");
    database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  } finally {
    database.close();
  }
}

/** The id of a job of the history, by its number from 1 on. */
export function historyId(number: number): string {
  return number.toString(16).padStart(32, "0");
}
