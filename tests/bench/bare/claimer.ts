/**
 * The raw work of a queue in memory and on disk: insert, claim, settle, as arrays in one statement
 * each. Whoever calls it decides what shares a commit.
 */
import type { DatabaseSync } from "node:sqlite";
import { bareId } from "./database.ts";

export interface BareJob {
  readonly seq: number;
  readonly payload: Uint8Array;
}

export function prepareBareQueue(database: DatabaseSync) {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const insert = database.prepare("INSERT INTO jobs (id, payload) VALUES (?, ?)");
  const select = database.prepare(
    "SELECT seq, payload FROM jobs INDEXED BY runnable WHERE state = 'pending' ORDER BY seq LIMIT ?",
  );
  const claim = database.prepare(
    "UPDATE jobs SET state = 'started' WHERE seq IN (SELECT value FROM json_each(?))",
  );
  const settle = database.prepare(
    "UPDATE jobs SET state = 'completed', result = ended.result FROM " +
      "(SELECT value ->> 0 AS seq, value ->> 1 AS result FROM json_each(?)) AS ended " +
      "WHERE jobs.seq = ended.seq",
  );
  return {
    commit(work: () => void): void {
      begin.run();
      work();
      commit.run();
    },

    insert(payload: Uint8Array): void {
      insert.run(bareId(), payload);
    },

    claim(limit: number): BareJob[] {
      const rows = select.all(limit) as unknown as BareJob[];
      if (rows.length > 0) claim.run(JSON.stringify(rows.map(({ seq }) => seq)));
      return rows;
    },

    /** Runs the jobs and writes their results down. */
    settle(jobs: readonly BareJob[]): void {
      if (jobs.length === 0) return;
      settle.run(JSON.stringify(jobs.map(({ seq, payload }) => [seq, payload.length])));
    },
  };
}
