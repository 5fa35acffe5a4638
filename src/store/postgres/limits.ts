/**
 * What was said of queues: one row for each of which something was. The row is also the lock under
 * which a queue with limits is claimed from, so that they hold over all processes.
 */
import { noteStarts, type RateLimit } from "../../job/rate.ts";
import { type CountedRules, NO_RULES, rulesFromRow } from "../shared/rules.ts";
import type { QueueChange, QueueRules } from "../store.ts";
import type { Row, Sql } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

/** By queue; those of which nothing is said are missing. */
export async function allRules(sql: Sql): Promise<ReadonlyMap<string, CountedRules>> {
  return rulesByQueue(await sql.all("SELECT * FROM queue_limits"));
}

/** What was said of this queue. */
export async function rulesOf(queue: string, sql: Sql): Promise<CountedRules> {
  const rows = await sql.all("SELECT * FROM queue_limits WHERE queue = $1", queue);
  return rulesByQueue(rows).get(queue) ?? NO_RULES;
}

/** The rules of these queues, under which nobody else claims from them before this transaction ends. */
export async function lockRules(
  queues: readonly string[],
  sql: Sql,
): Promise<ReadonlyMap<string, CountedRules>> {
  // In one order for everybody, or two claims could wait for each other.
  return rulesByQueue(
    await sql.all(
      "SELECT * FROM queue_limits WHERE queue = ANY($1::text[]) ORDER BY queue FOR UPDATE",
      queues,
    ),
  );
}

/** Changes what the change names; the rest stays. */
export async function changeRules(
  queue: string,
  change: QueueChange,
  nowMs: number,
  transaction: Transaction,
): Promise<QueueRules> {
  await transaction.exclusively();
  const before = (await lockRules([queue], transaction)).get(queue) ?? NO_RULES;
  const { isPaused, ...limits } = change;
  const pausedAtMs = isPaused === undefined
    ? before.pausedAtMs
    : isPaused
    ? before.pausedAtMs ?? nowMs
    : null;
  const { rate, maxRunning, keyMaxRunning, starts }: CountedRules = {
    ...before,
    ...limits,
    pausedAtMs,
  };
  const isAnythingSaid = [pausedAtMs, rate, maxRunning, keyMaxRunning]
    .some((value) => value !== null);
  if (isAnythingSaid) {
    await transaction.run(
      "INSERT INTO queue_limits (queue, paused_at, max_running, rate_limit, rate_period_ms, " +
        "rate_starts, key_max_running) VALUES ($1, $2, $3, $4, $5, $6, $7) " +
        "ON CONFLICT (queue) DO UPDATE SET paused_at = $2, max_running = $3, rate_limit = $4, " +
        "rate_period_ms = $5, rate_starts = $6, key_max_running = $7",
      queue,
      pausedAtMs,
      maxRunning,
      rate?.limit ?? null,
      rate?.periodMs ?? null,
      rate === null ? null : JSON.stringify(starts),
      keyMaxRunning,
    );
  } else await transaction.run("DELETE FROM queue_limits WHERE queue = $1", queue);
  return { pausedAtMs, rate, maxRunning, keyMaxRunning };
}

/** Counts jobs that start now; returns what is counted then. */
export async function countStarts(
  queue: string,
  { rate, starts }: CountedRules & { rate: RateLimit },
  { nowMs, jobs }: { nowMs: number; jobs: number },
  sql: Sql,
) {
  const counted = noteStarts(rate, starts, nowMs, jobs);
  await sql.run(
    "UPDATE queue_limits SET rate_starts = $1 WHERE queue = $2",
    JSON.stringify(counted),
    queue,
  );
  return counted;
}

function rulesByQueue(rows: readonly Row[]): ReadonlyMap<string, CountedRules> {
  return new Map(rows.map((row) => [row["queue"] as string, rulesFromRow(row)]));
}
