/** Pruning: finished jobs are walked from the oldest on, in small steps; see the file of SQLite's. */
import { isFinished, STATES } from "../../job/state.ts";
import { FINISHED, quoteStates } from "../guard.ts";
import type { PruneProgress, PruneStep, StoreSize } from "../prune.ts";
import type { RemovedJob } from "../shared/operations.ts";
import { TRAITS } from "../shared/traits.ts";
import type { Row, Sql } from "./connection.ts";
import { removeJobs } from "./removal.ts";
import type { Transaction } from "./transaction.ts";

const SELECT = "SELECT seq, queue, traits, created_at, finished_at FROM jobs " +
  `WHERE state = $1 AND ${FINISHED} AND seq > $2 ORDER BY seq LIMIT $3`;

const UNFINISHED = quoteStates(STATES.filter((state) => !isFinished(state)));

const IS_REFERRED_TO = "SELECT 1 AS is_any FROM dependencies JOIN jobs " +
  "ON jobs.seq = dependencies.seq " +
  `WHERE dependencies.on_seq = $1 AND jobs.state IN (${UNFINISHED}) LIMIT 1`;

const IS_UNDELIVERED =
  "SELECT 1 AS is_any FROM deliveries WHERE seq = $1 AND state = 'waiting' LIMIT 1";

/** Without a transaction nothing is deleted. */
export async function pruneStep(
  { state, endedBeforeMs, most, afterSeq, limit, nowMs }: PruneStep,
  sql: Sql,
  transaction: Transaction | null,
): Promise<PruneProgress> {
  // Nobody begins to wait for a job, or requeues one, while it is looked at.
  await transaction?.exclusively();
  const startedMs = performance.now();
  const lock = transaction === null ? "" : " FOR UPDATE";
  const rows = await sql.all(SELECT + lock, state, afterSeq, limit);
  const found: RemovedJob[] = [];
  let isOver = rows.length < limit;
  for (const row of rows) {
    const [createdAtMs, finishedAtMs] = [row["created_at"] as number, row["finished_at"] as number];
    // A job ends after it was added. What was added in the future, by a clock that was set back
    // since, says nothing about those that follow.
    const isTooYoung = createdAtMs >= endedBeforeMs && createdAtMs <= nowMs;
    if (isTooYoung || found.length >= most) {
      isOver = true;
      break;
    }
    if (finishedAtMs >= endedBeforeMs || await isNeeded(row, sql)) continue;
    found.push({
      seq: row["seq"] as number,
      queue: row["queue"] as string,
      traits: row["traits"] as number,
      state,
    });
  }
  if (transaction !== null) await removeJobs(found, transaction);
  const nextSeq = isOver ? null : rows.at(-1)!["seq"] as number;
  return { jobs: found.length, nextSeq, workMs: performance.now() - startedMs };
}

async function isNeeded(row: Row, sql: Sql): Promise<boolean> {
  const [seq, traits] = [row["seq"] as number, row["traits"] as number];
  if (traits & TRAITS.AWAITED && await sql.get(IS_REFERRED_TO, seq) !== undefined) return true;
  return (traits & TRAITS.CALLBACK) !== 0 && await sql.get(IS_UNDELIVERED, seq) !== undefined;
}

export async function isPruneTurn(nowMs: number, everyMs: number, sql: Sql): Promise<boolean> {
  const row = await sql.get("SELECT value FROM meta WHERE key = 'pruned_at'");
  const last = row?.["value"] as number | undefined;
  return last === undefined || last <= nowMs - everyMs || last > nowMs;
}

export async function takePruneTurn(nowMs: number, everyMs: number, sql: Sql): Promise<boolean> {
  const taken = await sql.run(
    "INSERT INTO meta (key, value) VALUES ('pruned_at', $1) ON CONFLICT (key) DO UPDATE " +
      "SET value = excluded.value WHERE meta.value <= $2 OR meta.value > excluded.value",
    nowMs,
    nowMs - everyMs,
  );
  return taken > 0;
}

/** Unused space is the business of the server's autovacuum, which keeps it for new rows. */
export async function storeSize(sql: Sql): Promise<StoreSize> {
  const row = await sql.get(
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS bytes FROM pg_class " +
      "WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'",
  );
  return { bytes: row!["bytes"] as number, unusedBytes: 0 };
}
