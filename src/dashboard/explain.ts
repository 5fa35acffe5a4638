/**
 * Why a job is where it is, in words for somebody who has never seen the program, and what can be
 * done about it. Pure.
 */
import { type AttemptErrorCode, HELD_MS, type Job } from "../job/job.ts";
import { formatRate } from "../job/limits.ts";
import { formatDuration, humanDuration } from "../lib/duration.ts";
import type { AttemptView } from "../queue/queue.ts";
import { describeObstacle, type Obstacle } from "../queue/obstacle.ts";
import type { QueueStats } from "../store/store.ts";
import { coarse, counted } from "./format.ts";
import type { Tone } from "./parts.tsx";

export interface Explanation {
  readonly tone: Tone;
  readonly title: string;
  /** What went wrong, as the worker told it; null: nothing. */
  readonly error: string | null;
  readonly text: string;
}

export interface JobFacts {
  readonly job: Job;
  readonly attempts: readonly AttemptView[];
  /** Its queue; null: nothing is known of it. */
  readonly queue: QueueStats | null;
  /** What keeps it from starting now; null: nothing that is known. */
  readonly obstacle: Obstacle | null;
  /** Ids of the jobs that it still waits for. */
  readonly waitingFor: readonly string[];
  readonly nowMs: number;
}

export function explain(facts: JobFacts): Explanation {
  const { job, attempts, obstacle, nowMs } = facts;
  const error = job.lastError?.message ?? null;
  const number = job.attempts + 1;
  const most = job.maxRetries + 1;
  switch (job.state) {
    case "pending":
      return { tone: "info", error, ...explainWaiting(facts) };
    case "failed":
      return {
        tone: "warn",
        title: job.runAtMs > nowMs
          ? `Will be tried again in ${coarse(job.runAtMs - nowMs)}`
          : "Will be tried again as soon as a worker is free",
        error,
        text: `Attempt ${job.attempts} of at most ${most} failed. ${cause(job, attempts)}` +
          (obstacle === null ? "" : ` It waits because ${describeObstacle(obstacle)}.`),
      };
    case "started":
    case "processing": {
      const sinceMs = nowMs - (job.startedAtMs ?? nowMs);
      const limit = job.timeoutMs === null
        ? ""
        : ` It is stopped when it takes longer than ${formatDuration(job.timeoutMs)}.`;
      return {
        tone: "info",
        title: job.cancelRequestedAtMs === null ? "Runs now" : "Runs now, and was asked to stop",
        error: null,
        text: `Attempt ${number} of at most ${most}, on the worker ${job.worker ?? "?"}, ` +
          `for ${coarse(Math.max(0, sinceMs))}.${limit}`,
      };
    }
    case "completed": {
      const tookMs = (job.finishedAtMs ?? 0) - (job.startedAtMs ?? job.finishedAtMs ?? 0);
      return {
        tone: "good",
        title: "Completed",
        error: null,
        text: `It took ${humanDuration(Math.max(0, tookMs))}` +
          (job.attempts === 0 ? "." : `, at attempt ${number} of at most ${most}.`),
      };
    }
    case "cancelled":
      return {
        tone: "info",
        title: "Cancelled",
        error,
        text: job.lastError === null
          ? "Somebody cancelled it before it ran to its end. It does not run unless you run it again."
          : `${cause(job, attempts)} It does not run unless you run it again.`,
      };
    case "dead":
      return {
        tone: "bad",
        title: "This job died",
        error,
        text: `${howOften(job)} It does not run again by itself. ${cause(job, attempts)}`,
      };
  }
}

function howOften({ attempts, maxRetries }: Job): string {
  if (attempts > maxRetries) {
    return attempts === 1
      ? "Its only attempt failed, and it has no retries."
      : `All its ${counted(attempts, "attempt")} failed, so it has no retries left.`;
  }
  return `It was given up after ${counted(attempts, "attempt")}, although it had retries left: ` +
    "its rules for retries say so.";
}

function explainWaiting(
  { job, queue, obstacle, waitingFor, nowMs }: JobFacts,
): { title: string; text: string } {
  if (job.runAtMs === HELD_MS) {
    return {
      title: `Waits for ${counted(waitingFor.length, "other job")}`,
      text: "It runs when they have ended as it expects; otherwise it is cancelled.",
    };
  }
  if (job.runAtMs > nowMs) {
    return {
      title: `Runs in ${coarse(job.runAtMs - nowMs)}`,
      text: "It was added to run at a later time.",
    };
  }
  if (obstacle !== null && obstacle.type !== "busy") {
    return { title: heldTitle(obstacle), text: heldText(obstacle, nowMs) };
  }
  const others = (queue?.counts.pending ?? 1) - 1;
  return {
    title: "Waits for a free worker",
    text: others > 0
      ? `${counted(others, "other job")} wait${others === 1 ? "s" : ""} in its queue too. ` +
        "Those with a higher priority, and older ones, go first."
      : "It is next in its queue.",
  };
}

/** In few words. */
function heldTitle({ type }: Obstacle): string {
  switch (type) {
    case "no-worker":
      return "Ready, but no workers are running";
    case "kind":
      return "Ready, but no worker runs its kind";
    case "paused":
      return "Ready, but its queue is paused";
    case "running":
      return "Ready, but its queue is at its limit";
    case "rate":
      return "Ready, but its queue is at its rate";
    case "key":
      return "Ready, but its key is at its limit";
    case "busy":
      return "Waits for a free worker";
  }
}

/** And what can be done about it. */
function heldText(obstacle: Obstacle, nowMs: number): string {
  const reason = describeObstacle(obstacle);
  const told = `${reason[0]!.toUpperCase()}${reason.slice(1)}.`;
  switch (obstacle.type) {
    case "no-worker":
      return "Start some where the database is: queuectl worker";
    case "kind":
      return `${told} Start one with --handlers or --handler where the database is.`;
    case "paused":
      return `The queue ${obstacle.queue} has been paused for ${
        coarse(Math.max(0, nowMs - obstacle.sinceMs))
      }. Its jobs run once it is resumed.`;
    case "running":
    case "key":
      return `${told} It runs when one of those has ended.`;
    case "rate":
      return `The queue ${obstacle.queue} has started as many jobs as its rate of ` +
        `${formatRate(obstacle.rate)} lets it. The next may start in ${
          coarse(Math.max(0, obstacle.nextAtMs - nowMs))
        }.`;
    case "busy":
      return told;
  }
}

/** What the error means and what helps. */
function cause(job: Job, attempts: readonly AttemptView[]): string {
  const code: AttemptErrorCode | undefined = job.lastError?.code;
  const last = attempts.findLast(({ error }) => error !== null);
  switch (code) {
    case undefined:
      return "";
    case "exit":
      return exitAdvice(last?.exitCode ?? null);
    case "signal":
      return "Something outside the command ended it by a signal. SIGKILL often means that the " +
        "machine ran out of memory.";
    case "spawn":
      return "The program could not even be started. Check that it and its working directory " +
        "exist on the machine where the workers run.";
    case "error":
      return "What runs this kind of job reported this error.";
    case "timeout":
      return `Each attempt may take ${
        job.timeoutMs === null ? "a limited time" : formatDuration(job.timeoutMs)
      }. Make the work faster, or choose “Edit and run again” and raise the timeout.`;
    case "crash":
      return "It took its worker thread down. Find out why before you run it again.";
    case "hang":
      return "Its worker thread stopped answering and was replaced.";
    case "lapse":
      return "The process of its worker ended, or was cut off, in the middle of the work.";
    case "cancelled":
      return "A person or a rule stopped it.";
    case "dependency":
      return "A job that it waited for did not end as it should have.";
    case "replaced":
      return "Another job with the same unique key took its place.";
    default:
      return "";
  }
}

function exitAdvice(exitCode: number | null): string {
  const printed = "What it printed stands under Output.";
  if (exitCode === 126) return `The shell found the command but may not run it. ${printed}`;
  if (exitCode === 127) {
    return "The shell did not find the command: check that it is installed where the workers run, " +
      `and on their PATH. ${printed}`;
  }
  return `The command says by its exit code ${exitCode ?? ""} that it failed. ${printed} ` +
    "Remove the cause and run it again, or choose “Edit and run again” to change the command.";
}
