/** One job: to look at, to cancel, to run again, to delete. */
import { JobNotFoundError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import type { Queue } from "../../queue/queue.ts";
import { jobView, statusOf } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";

/**
 * The id that the path names.
 *
 * @throws {JobNotFoundError} when no job can have it: the store is not asked.
 */
export function jobIdOf({ params }: Call): string {
  const id = params["id"]!;
  if (!ID_PATTERN.test(id)) throw new JobNotFoundError(id.slice(0, 80));
  return id;
}

/** The job that the path names. */
export async function findJob(call: Call): Promise<Job> {
  return await call.services.queue.find(jobIdOf(call));
}

export async function getStatus(call: Call): Promise<Response> {
  return json(await statusOf(await findJob(call), call.services.queue));
}

export async function getJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  const job = await findJob(call);
  const [payload, attempts, dependencies, files, progress] = await Promise.all([
    queue.payload(job),
    queue.attempts(job),
    queue.dependencies(job),
    queue.files(job),
    queue.progress(job),
  ]);
  return json(jobView(job, { payload, attempts, dependencies, files, progress }));
}

export async function cancelJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  return changed(await queue.cancel(jobIdOf(call), call.caller.name), queue);
}

export async function requeueJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  return changed(await queue.requeue(jobIdOf(call), call.caller.name), queue);
}

/** Answers with the job as it was. */
export async function deleteJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  return changed(await queue.remove(jobIdOf(call), call.caller.name), queue);
}

async function changed(job: Job, queue: Queue): Promise<Response> {
  return json({ id: job.id, ...await statusOf(job, queue) });
}
