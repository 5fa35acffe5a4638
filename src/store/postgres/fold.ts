/**
 * Folds the rows that transactions have added to the kept sums into few. Sums stay what they are, so it
 * can be done at any time; one process at a time does it, and nobody waits for it.
 */
import { BUCKET_MS } from "../shared/counted.ts";
import type { Transaction } from "./transaction.ts";
import { LOCKS, type Place } from "./migrate.ts";

/** Rows that are folded at once: some ten milliseconds. */
const MOST = 5_000;

/** Buckets older than this are dropped. */
const KEEP_BUCKETS_MS = 24 * 3_600_000;

/** Marks of commits (`commit_mark.ts`) that writers have left; they are asked for within seconds. */
const KEEP_MARKS_MS = 3_600_000;

export async function fold(transaction: Transaction, place: Place, nowMs: number): Promise<void> {
  const row = await transaction.get(
    "SELECT pg_try_advisory_xact_lock($1::int, $2::int) AS is_mine",
    place.lockSpace,
    LOCKS.fold,
  );
  if (row!["is_mine"] !== true) return;
  await transaction.run(
    "WITH folded AS (DELETE FROM counts WHERE ctid = ANY(ARRAY(SELECT ctid FROM counts LIMIT $1)) " +
      "RETURNING queue, state, jobs) INSERT INTO counts (queue, state, jobs) " +
      "SELECT queue, state, sum(jobs) FROM folded GROUP BY queue, state HAVING sum(jobs) <> 0",
    MOST,
  );
  const bucket = Math.floor(nowMs / BUCKET_MS);
  await transaction.run(
    "WITH folded AS (DELETE FROM throughput WHERE ctid = ANY(ARRAY(SELECT ctid FROM throughput " +
      "WHERE bucket >= $2 ORDER BY bucket LIMIT $1)) RETURNING bucket, what, jobs) " +
      "INSERT INTO throughput (bucket, what, jobs) " +
      "SELECT bucket, what, sum(jobs) FROM folded GROUP BY bucket, what",
    MOST,
    bucket - 2 * 60_000 / BUCKET_MS,
  );
  await transaction.run("DELETE FROM commits WHERE at < $1", nowMs - KEEP_MARKS_MS);
  await transaction.run(
    "DELETE FROM throughput WHERE bucket < $1",
    bucket - KEEP_BUCKETS_MS / BUCKET_MS,
  );
}
