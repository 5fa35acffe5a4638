/**
 * The raw work of a queue in memory and on disk: insert, claim, settle, as arrays in one statement
 * each. Whoever calls it decides what shares a commit.
 */
import type { DatabaseSync } from "node:sqlite";
import { bareId } from "./database.ts";

/** Names the process that holds the leases. */
const HOLDER = "0123456789abcdef";

const LEASE_MS = 30_000;

export interface BareJob {
  readonly seq: number;
  /** Of the lease. */
  readonly token: number;
  readonly payload: Uint8Array;
}

export function prepareBareQueue(database: DatabaseSync) {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const insert = database.prepare("INSERT INTO jobs (id, payload) VALUES (?, ?)");
  const select = database.prepare(
    "SELECT seq, lease_token + 1 AS token, payload FROM jobs INDEXED BY runnable " +
      "WHERE state = 'pending' ORDER BY seq LIMIT ?",
  );
  const claim = database.prepare(
    "UPDATE jobs SET state = 'started', lease_holder = ?, lease_token = lease_token + 1, " +
      "lease_expires_at = ? WHERE seq IN (SELECT value FROM json_each(?))",
  );
  const settle = database.prepare(
    "UPDATE jobs SET state = 'completed', result = ended.result FROM (SELECT value ->> 0 AS seq, " +
      "value ->> 1 AS token, value ->> 2 AS result FROM json_each(?)) AS ended " +
      "WHERE jobs.seq = ended.seq AND +jobs.lease_token = ended.token " +
      "AND +jobs.lease_holder = ? AND +jobs.state = 'started'",
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
      if (rows.length > 0) {
        claim.run(HOLDER, Date.now() + LEASE_MS, JSON.stringify(rows.map(({ seq }) => seq)));
      }
      return rows;
    },

    /** Runs the jobs and writes their results down, as far as their leases hold. */
    settle(jobs: readonly BareJob[]): void {
      if (jobs.length === 0) return;
      const ended = jobs.map(({ seq, token, payload }) => [seq, token, payload.length]);
      const { changes } = settle.run(JSON.stringify(ended), HOLDER);
      if (changes !== jobs.length) throw new Error("a lease was lost");
    },
  };
}
