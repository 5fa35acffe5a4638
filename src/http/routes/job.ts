/** One job: to look at, to cancel, to run again, to delete. */
import { JobNotFoundError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { jobView, statusView } from "../../queue/views.ts";
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
  return json(statusView(await findJob(call)));
}

export async function getJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  const job = await findJob(call);
  const [payload, attempts, files] = await Promise.all([
    queue.payload(job),
    queue.attempts(job),
    queue.files(job),
  ]);
  return json(jobView(job, { payload, attempts, files }));
}

export async function cancelJob(call: Call): Promise<Response> {
  return changed(await call.services.queue.cancel(jobIdOf(call), call.caller.name));
}

export async function requeueJob(call: Call): Promise<Response> {
  return changed(await call.services.queue.requeue(jobIdOf(call), call.caller.name));
}

/** Answers with the job as it was. */
export async function deleteJob(call: Call): Promise<Response> {
  return changed(await call.services.queue.remove(jobIdOf(call), call.caller.name));
}

function changed(job: Job): Response {
  return json({ id: job.id, ...statusView(job) });
}
