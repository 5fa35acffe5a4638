/** One job: to look at, to cancel, to run again, to delete. */
import { InvalidInputError, JobNotFoundError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { allows } from "../../job/scope.ts";
import { isFinished } from "../../job/state.ts";
import { changesWork, parseEdit } from "../../queue/edit.ts";
import { findObstacle } from "../../queue/obstacle.ts";
import type { Queue } from "../../queue/queue.ts";
import { jobView, progressView, statusOf, statusView } from "../../queue/views.ts";
import { lookUntil } from "../../queue/watching.ts";
import { missingScope } from "../auth.ts";
import { checkCommand } from "../command_right.ts";
import { mediaTypeOf, unsupportedType } from "../content_type.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { parseJsonBytes } from "../json_text.ts";

/**
 * The id that the path names.
 *
 * @throws {JobNotFoundError} when no job can have it: the store is not asked.
 */
function jobIdOf({ params }: Call): string {
  const id = params["id"]!;
  if (!ID_PATTERN.test(id)) throw new JobNotFoundError(id.slice(0, 80));
  return id;
}

/** The job that the path names. */
export async function findJob(call: Call): Promise<Job> {
  return await call.services.queue.find(jobIdOf(call));
}

/** The longest that a request may wait for the end of a job, in seconds. */
const MOST_WAIT_S = 60;

/** What {@link findAwaitedJob} reads. */
export const WAIT_PARAMETER = {
  schema: { type: "number", minimum: 0, maximum: MOST_WAIT_S },
  description: "Answer as soon as the job is finished, or after so many seconds.",
};

/**
 * The job that the path names; with `?wait=SECONDS` as soon as it is finished, or as it is when the
 * time is over.
 */
export async function findAwaitedJob(call: Call): Promise<Job> {
  const { query, services: { queue, isDraining } } = call;
  const text = query === "" ? null : new URLSearchParams(query).get("wait");
  if (text === null) return await findJob(call);
  const seconds = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  if (!(seconds <= MOST_WAIT_S)) {
    const detail = `wait: expected a number of seconds from 0 to ${MOST_WAIT_S}, got ` +
      JSON.stringify(text.slice(0, 80));
    throw new InvalidInputError([{ detail, pointer: "/wait" }]);
  }
  let job = await findJob(call);
  await lookUntil(queue, async () => {
    job = await findJob(call);
    return isFinished(job.state) || isDraining() ? job : null;
  }, { timeoutMs: seconds * 1_000 });
  return job;
}

export async function getStatus(call: Call): Promise<Response> {
  return json(await statusOf(await findAwaitedJob(call), call.services.queue));
}

export async function getJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  const job = await findAwaitedJob(call);
  const [payload, attempts, dependencies, files, progress, obstacle] = await Promise.all([
    queue.payload(job),
    queue.attempts(job),
    queue.dependencies(job),
    queue.files(job),
    queue.progress(job),
    findObstacle(job, queue),
  ]);
  return json(jobView(job, { payload, attempts, dependencies, files, progress, obstacle }));
}

export async function cancelJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  return changed(await queue.cancel(jobIdOf(call), call.caller.name), queue);
}

/** With a body: changed, as that says. */
export async function requeueJob(call: Call): Promise<Response> {
  const { services: { queue }, caller } = call;
  const id = jobIdOf(call);
  const input = await readChanges(call);
  if (input === null) return changed(await queue.requeue(id, caller.name), queue);
  const job = await queue.find(id);
  if (changesWork(input)) {
    // Other work under the same id is new work.
    if (!allows(caller.scopes, "submit")) throw missingScope(caller, "submit");
    checkCommand(job.kind === "command" ? { kind: "command" } : input, call);
  }
  return changed(await queue.requeue(id, caller.name, await parseEdit(input, job, queue)), queue);
}

/** The body as JSON; null when there is none. */
async function readChanges({ request, services: { bodies, settings } }: Call): Promise<unknown> {
  if (request.body === null) return null;
  const bytes = await bodies.read(request, settings["upload-limit"]);
  if (bytes.length === 0) return null;
  if (mediaTypeOf(request) !== "application/json") {
    throw unsupportedType(request, "application/json");
  }
  return parseJsonBytes(bytes, "the body");
}

/** Answers with the job as it was. */
export async function deleteJob(call: Call): Promise<Response> {
  const { queue } = call.services;
  const found = await findJob(call);
  // Afterwards nobody knows it any more.
  const [waitingFor, progress] = await Promise.all([
    queue.waitingFor(found),
    queue.progress(found),
  ]);
  const job = await queue.remove(found.id, call.caller.name);
  return json({ id: job.id, ...statusView(job, waitingFor), ...progressView(progress) });
}

async function changed(job: Job, queue: Queue): Promise<Response> {
  return json({ id: job.id, ...await statusOf(job, queue) });
}
