/** `queuectl wait`: waits until jobs are finished and exits by their outcome. */
import { JobNotFoundError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import { isFinished } from "../../job/state.ts";
import { humanDuration } from "../../lib/duration.ts";
import type { Queue } from "../../queue/queue.ts";
import { statusView } from "../../queue/views.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { durationOption } from "../durations.ts";
import { oneLine, type Output } from "../output.ts";
import { lookUntil } from "../../queue/watching.ts";

export function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const timeoutMs = durationOption(invocation, "timeout") ?? Infinity;
  return withQueue(invocation, async ({ queue }) => {
    const ids = [...new Set(args)];
    const waiting = new Set(ids);
    const seen = new Map<string, Job>();
    for (const id of ids) {
      const job = await findOrReport(queue, id, out);
      if (job !== null) seen.set(id, job);
    }
    const show = () => {
      if (out.isJson) out.json([...seen].map(([id, job]) => ({ id, ...statusView(job) })));
    };
    // An id that is mistyped must not come to light hours later.
    if (seen.size < ids.length) {
      show();
      return EXIT.noSuchJob;
    }
    let worst: number = EXIT.done;
    const isOver = await lookUntil(queue, async () => {
      for (const id of waiting) {
        const job = await findOrReport(queue, id, out);
        if (job === null) worst = Math.max(worst, EXIT.noSuchJob);
        else seen.set(id, job);
        if (job !== null && !isFinished(job.state)) continue;
        waiting.delete(id);
        if (job === null) continue;
        if (job.state !== "completed") worst = Math.max(worst, EXIT.failed);
        if (!out.isJson) out.line(describeEnd(job, out));
      }
      return waiting.size === 0 ? true : null;
    }, { timeoutMs });
    show();
    if (isOver !== null) return worst;
    for (const id of waiting) {
      out.error(`job ${id} is still ${seen.get(id)!.state} after ${humanDuration(timeoutMs)}`);
    }
    return EXIT.timedOut;
  });
}

async function findOrReport(queue: Queue, id: string, out: Output): Promise<Job | null> {
  try {
    return await queue.find(id);
  } catch (error) {
    if (!(error instanceof JobNotFoundError)) throw error;
    out.error(error.message);
    return null;
  }
}

function describeEnd(job: Job, out: Output): string {
  const { startedAtMs, finishedAtMs } = job;
  const took = startedAtMs === null || finishedAtMs === null
    ? ""
    : ` in ${humanDuration(Math.max(0, finishedAtMs - startedAtMs))}`;
  const error = job.state === "dead" && job.lastError !== null
    ? `: ${oneLine(job.lastError.message, 200)}`
    : "";
  return `Job ${job.id} is ${out.state(job.state)}${job.state === "completed" ? took : error}`;
}
