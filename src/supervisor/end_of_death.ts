/** What the death of a worker thread means for the attempt that it was running. */
import type { AttemptEnd } from "../job/outcome.ts";
import { endOfAborted } from "../worker/run_attempt.ts";
import type { JobInHand } from "./slot.ts";

/** How the attempt ended that was running when its thread was given up. */
export function endOfDeath(
  reason: "crash" | "hang",
  message: string,
  running: JobInHand | undefined,
): AttemptEnd {
  if (reason === "crash") {
    return {
      type: "failed",
      error: { code: "crash", message: `the worker thread died: ${message}` },
    };
  }
  const timeoutMs = running?.job.timeoutMs ?? Infinity;
  if (running !== undefined && performance.now() - running.givenAtMs > timeoutMs) {
    return endOfAborted("timeout", running.job);
  }
  return {
    type: "failed",
    error: { code: "hang", message: "the worker thread stopped answering" },
  };
}
