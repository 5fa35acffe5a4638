/**
 * Runs one attempt: handler, timeout, abort, injected faults. Knows nothing of queues and stores;
 * says how the attempt ended. Invariant: it never throws; whatever the handler does becomes an
 * {@link AttemptEnd}.
 */
import type { Handler, HandlerContext } from "../handlers/handler.ts";
import type { LeasedJob } from "../job/job.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import { formatDuration } from "../lib/duration.ts";
import { messageOf } from "../lib/error_message.ts";
import type { AbortReason, Faults } from "./protocol.ts";

/** A timer with a longer delay would fire at once. 24.8 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Why the signal of an attempt was aborted. */
export class AttemptAborted extends Error {
  constructor(readonly reason: AbortReason | "timeout") {
    super(reason);
    this.name = "AttemptAborted";
  }
}

export interface AttemptOptions {
  readonly handler: Handler | undefined;
  readonly controller: AbortController;
  readonly context: Omit<HandlerContext, "signal">;
  readonly faults: Faults;
  readonly random: () => number;
  /** Blocks until this thread is given up, and ends it: for the fault. */
  readonly hang: () => void;
}

/** Ends at once where the handler does, so that trivial jobs cost no turn of the event loop. */
export function runAttempt(
  job: LeasedJob,
  options: AttemptOptions,
): AttemptEnd | Promise<AttemptEnd> {
  const { handler, controller } = options;
  if (handler === undefined) {
    // It went away after the job was claimed: another process may have it.
    return { type: "released" };
  }
  const fault = injectFault(options);
  if (fault !== null) return fault;
  let running: AttemptEnd | Promise<AttemptEnd>;
  try {
    running = handler.run(job, { ...options.context, signal: controller.signal });
  } catch (error) {
    return explain(error, job, controller.signal);
  }
  return running instanceof Promise ? supervise(running, job, controller) : running;
}

async function supervise(
  running: Promise<AttemptEnd>,
  job: LeasedJob,
  controller: AbortController,
): Promise<AttemptEnd> {
  const timer = job.timeoutMs === null ? undefined : setTimeout(
    () => controller.abort(new AttemptAborted("timeout")),
    Math.min(job.timeoutMs, LONGEST_TIMER_MS),
  );
  try {
    const end = await running;
    // What fails after it was told to stop fails because of that.
    if (end.type !== "failed" || !controller.signal.aborted) return end;
    const { reason } = controller.signal.reason as AttemptAborted;
    return { ...endOfAborted(reason, job), exit: end.exit } as AttemptEnd;
  } catch (error) {
    return explain(error, job, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What an error means, given why the attempt was told to stop, if it was. */
function explain(error: unknown, job: LeasedJob, signal: AbortSignal): AttemptEnd {
  if (!signal.aborted) {
    return failure("error", messageOf(error));
  }
  return endOfAborted((signal.reason as AttemptAborted).reason, job);
}

/** How an attempt ends that was stopped for this reason. */
export function endOfAborted(
  reason: AttemptAborted["reason"],
  job: Pick<LeasedJob, "timeoutMs">,
): AttemptEnd {
  switch (reason) {
    case "timeout":
      return failure("timeout", `ran longer than its timeout of ${formatDuration(job.timeoutMs!)}`);
    case "cancel":
      return { type: "cancelled" };
    default:
      return { type: "released" };
  }
}

function failure(code: "error" | "timeout", message: string): AttemptEnd {
  return { type: "failed", error: { code, message } };
}

function injectFault(
  { faults: { fail, crash, hang }, random, hang: hangNow }: AttemptOptions,
): AttemptEnd | Promise<AttemptEnd> | null {
  if (hang > 0 && random() < hang) {
    hangNow();
    return new Promise(() => {});
  }
  if (crash > 0 && random() < crash) {
    setTimeout(() => {
      throw new Error("fault injection: the worker thread dies");
    });
    return new Promise(() => {});
  }
  if (fail > 0 && random() < fail) {
    return failure("error", "fault injection: the attempt throws");
  }
  return null;
}
