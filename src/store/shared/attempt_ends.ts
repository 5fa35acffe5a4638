/** What the ways in which an attempt ends are to those who count and follow. */
import type { Outcome } from "../../job/outcome.ts";
import type { JobEvent } from "../../job/state.ts";
import type { JobHappening } from "../store.ts";
import type { Tally } from "./counted.ts";

export const TALLY_OF: Partial<Record<JobEvent, readonly Tally[]>> = {
  complete: ["completed"],
  fail: ["failedAttempts"],
  bury: ["failedAttempts", "dead"],
  abort: ["cancelled"],
};

export const HAPPENING_OF: Partial<Record<JobEvent, JobHappening>> = {
  fail: "job.failed",
  bury: "job.dead",
  abort: "job.cancelled",
  release: "job.released",
  snooze: "job.snoozed",
};

/** Whether the attempt has a record of its own: it ended, but not in success. */
export function hasAttempt(outcome: Outcome): outcome is Extract<Outcome, { exit?: unknown }> {
  return outcome.event === "fail" || outcome.event === "bury" || outcome.event === "abort";
}
