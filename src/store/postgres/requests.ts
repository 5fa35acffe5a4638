/** Requests that carry a key of their caller, so that they can be repeated: see the file of SQLite's. */
import { areEqual, fromKept, KEPT_MS, type KeptJob, toKept } from "../shared/kept_request.ts";
import type { AddedJob, Addition, RequestKey } from "../store.ts";
import type { Sql } from "./connection.ts";

/** Answers that are dropped at once. */
const SWEEP = 500;

/** What became of the jobs of a request with this key; null: there was none lately. */
export async function findRequest(
  { caller, key, fingerprint }: RequestKey,
  nowMs: number,
  sql: Sql,
): Promise<Addition | null> {
  const row = await sql.get(
    "SELECT fingerprint, jobs FROM idempotency WHERE caller = $1 AND key = $2 AND created_at > $3",
    ...[caller, key, nowMs - KEPT_MS],
  );
  if (row === undefined) return null;
  if (!areEqual(row["fingerprint"] as Uint8Array, fingerprint)) {
    return { duplicates: [], isRequestDifferent: true };
  }
  const kept = JSON.parse(row["jobs"] as string) as KeptJob[];
  return { duplicates: [], replay: kept.map(fromKept) };
}

export async function keepRequest(
  { caller, key, fingerprint }: RequestKey,
  added: readonly AddedJob[],
  nowMs: number,
  sql: Sql,
): Promise<void> {
  await sql.run(
    "INSERT INTO idempotency (caller, key, fingerprint, jobs, created_at) " +
      "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (caller, key) DO UPDATE SET " +
      "fingerprint = $3, jobs = $4, created_at = $5",
    ...[caller, key, fingerprint, JSON.stringify(added.map(toKept)), nowMs],
  );
}

/** Drops some of what is too old. */
export async function sweepRequests(nowMs: number, sql: Sql): Promise<void> {
  await sql.run(
    "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency " +
      "WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    nowMs - KEPT_MS,
    SWEEP,
  );
}
