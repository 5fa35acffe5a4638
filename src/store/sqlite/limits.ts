/**
 * What was said of queues: one row for each of which something was. Owns the table queue_limits and
 * the starts that a rate limit counts; decides nothing about jobs.
 *
 * Invariant: a queue of which nothing is said has no row, so that claims read an empty table.
 */
import { type CountedRules, NO_RULES, rulesFromRow } from "../shared/rules.ts";
import { noteStarts, type RateLimit } from "../../job/rate.ts";
import type { QueueChange, QueueRules } from "../store.ts";
import type { Connection } from "./connection.ts";

const NONE: ReadonlyMap<string, CountedRules> = new Map();

export function prepareLimits(connection: Connection) {
  const select = connection.prepare("SELECT * FROM queue_limits");
  const find = connection.prepare("SELECT * FROM queue_limits WHERE queue = ?");
  const remove = connection.prepare("DELETE FROM queue_limits WHERE queue = ?");
  const write = connection.prepare(
    "INSERT OR REPLACE INTO queue_limits (queue, paused_at, max_running, rate_limit, " +
      "rate_period_ms, rate_starts, key_max_running) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const writeStarts = connection.prepare(
    "UPDATE queue_limits SET rate_starts = ? WHERE queue = ?",
  );

  function of(queue: string): CountedRules {
    const row = find.get(queue);
    return row === undefined ? NO_RULES : rulesFromRow(row);
  }

  return {
    of,

    /** By queue; those of which nothing is said are missing. */
    all(): ReadonlyMap<string, CountedRules> {
      const rows = select.all();
      if (rows.length === 0) return NONE;
      return new Map(rows.map((row) => [row["queue"] as string, rulesFromRow(row)]));
    },

    /** Changes what the change names; the rest stays. */
    change(queue: string, change: QueueChange, nowMs: number): QueueRules {
      const before = of(queue);
      const { isPaused, ...limits } = change;
      const pausedAtMs = isPaused === undefined
        ? before.pausedAtMs
        : isPaused
        ? before.pausedAtMs ?? nowMs
        : null;
      const after: CountedRules = { ...before, ...limits, pausedAtMs };
      const { rate, maxRunning, keyMaxRunning } = after;
      const isAnythingSaid = [pausedAtMs, rate, maxRunning, keyMaxRunning]
        .some((value) => value !== null);
      if (isAnythingSaid) {
        const starts = rate === null ? null : JSON.stringify(after.starts);
        const ofRate = [rate?.limit ?? null, rate?.periodMs ?? null, starts];
        write.run(queue, pausedAtMs, maxRunning, ...ofRate, keyMaxRunning);
      } else remove.run(queue);
      return { pausedAtMs, rate, maxRunning, keyMaxRunning };
    },

    /** Counts jobs that start now; returns what is counted then. */
    count(queue: string, rules: CountedRules & { rate: RateLimit }, nowMs: number, jobs: number) {
      const starts = noteStarts(rules.rate, rules.starts, nowMs, jobs);
      writeStarts.run(JSON.stringify(starts), queue);
      return starts;
    },
  };
}

export type Limits = ReturnType<typeof prepareLimits>;
