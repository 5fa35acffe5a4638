/** The rules of a queue as stores keep them. */
import { formatRate } from "../../job/limits.ts";
import type { Starts } from "../../job/rate.ts";
import type { QueueChange, QueueRules } from "../store.ts";

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
