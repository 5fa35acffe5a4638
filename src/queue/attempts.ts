/** The attempts of a job: those that ended badly, and the one that stands on the job itself. */
import type { Attempt, Job, OutputChunk, OutputStream } from "../job/job.ts";
import { isLeased } from "../job/state.ts";
import type { JobStore } from "../store/store.ts";
import { joinBytes } from "../lib/bytes.ts";

/** An attempt that ended without success, or the one that stands on the job itself. */
export interface AttemptView {
  readonly attempt: number;
  readonly token: number;
  readonly worker: string | null;
  readonly outcome: "running" | "succeeded" | "failed" | "cancelled";
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly error: Attempt["error"] | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Printed altogether; more than what is kept when the output limit cut it. */
  readonly stdoutBytes: number | null;
  readonly stderrBytes: number | null;
}

/** Every attempt so far, oldest first, the running or successful one last. */
export async function attemptsOf(job: Job, store: JobStore): Promise<AttemptView[]> {
  const ended: AttemptView[] = await store.attempts(job.seq);
  const isRunning = isLeased(job.state);
  if (!isRunning && job.state !== "completed") return ended;
  return [...ended, {
    attempt: job.attempts + 1,
    token: job.token,
    worker: job.worker,
    outcome: isRunning ? "running" : "succeeded",
    startedAtMs: job.startedAtMs,
    finishedAtMs: isRunning ? null : job.finishedAtMs,
    error: null,
    ...exitOf(job),
  }];
}

/** Joins the chunks of one stream. */
export function joinOutput(chunks: readonly OutputChunk[], stream?: OutputStream): Uint8Array {
  const parts = chunks.filter((chunk) => stream === undefined || chunk.stream === stream);
  return joinBytes(parts.map(({ bytes }) => bytes));
}

/** How the command ended that stands on the job itself. */
function exitOf(
  job: Job,
): Pick<AttemptView, "exitCode" | "signal" | "stdoutBytes" | "stderrBytes"> {
  if (job.state !== "completed" || job.kind !== "command" || job.result === null) {
    return { exitCode: null, signal: null, stdoutBytes: null, stderrBytes: null };
  }
  const result = JSON.parse(job.result);
  return {
    exitCode: result.exit_code,
    signal: null,
    stdoutBytes: result.stdout_bytes,
    stderrBytes: result.stderr_bytes,
  };
}
