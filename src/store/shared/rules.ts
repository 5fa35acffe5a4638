/** The rules of a queue as stores keep them. */
import { formatRate } from "../../job/limits.ts";
import { type Starts, startsLeft } from "../../job/rate.ts";
import type { QueueChange, QueueRules, Standing } from "../store.ts";

/** The rules of a queue, with what its rate limit has counted. */
export interface CountedRules extends QueueRules {
  readonly starts: Starts;
}

export const NO_RULES: CountedRules = {
  pausedAtMs: null,
  maxRunning: null,
  rate: null,
  keyMaxRunning: null,
  starts: [],
};

/** What the rules say of a queue in which so much runs. */
export function standingUnder(
  { starts, ...rules }: CountedRules,
  running: Pick<Standing, "running" | "runningOfKey">,
  nowMs: number,
): Standing {
  const nextStartAtMs = rules.rate === null ? null : startsLeft(rules.rate, starts, nowMs).nextAtMs;
  return { rules, ...running, nextStartAtMs };
}

/** What the audit log tells of a change. */
export function describeChange(
  { isPaused, maxRunning, rate, keyMaxRunning }: QueueChange,
): { action: "queue.pause" | "queue.resume" | "queue.set"; detail?: string } {
  if (isPaused !== undefined) return { action: isPaused ? "queue.pause" : "queue.resume" };
  const told: string[] = [];
  if (maxRunning !== undefined) told.push(`max_running=${maxRunning ?? "none"}`);
  if (rate !== undefined) told.push(`rate=${rate === null ? "none" : formatRate(rate)}`);
  if (keyMaxRunning !== undefined) told.push(`key_max_running=${keyMaxRunning ?? "none"}`);
  return { action: "queue.set", detail: told.join(" ") };
}

export function rulesFromRow(row: Readonly<Record<string, unknown>>): CountedRules {
  const limit = row["rate_limit"] as number | null;
  return {
    pausedAtMs: row["paused_at"] as number | null,
    maxRunning: row["max_running"] as number | null,
    rate: limit === null ? null : { limit, periodMs: row["rate_period_ms"] as number },
    keyMaxRunning: row["key_max_running"] as number | null,
    starts: row["rate_starts"] === null ? [] : JSON.parse(row["rate_starts"] as string),
  };
}
