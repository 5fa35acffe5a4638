/** Queues: what waits in them, pausing them, limiting them. */
import { QueueNotFoundError } from "../../job/errors.ts";
import { parseLimits } from "../../job/limits.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import {
  findQueue,
  limitQueue,
  listQueues,
  pauseQueue,
  queueView,
  rulesView,
} from "../../queue/queues.ts";
import type { QueueRules } from "../../store/store.ts";
import { readJson } from "../content_type.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";

/** More than any change of limits needs. */
const BODY_BYTES = 16 * 1024;

export async function getQueues({ services: { queue } }: Call): Promise<Response> {
  const queues = await listQueues(queue);
  return json({ queues: queues.map((one) => queueView(one, queue.clock())) });
}

export async function getQueue(call: Call): Promise<Response> {
  const { queue } = call.services;
  return json(queueView(await findQueue(queue, nameOf(call)), queue.clock()));
}

export async function pauseQueueRoute(call: Call): Promise<Response> {
  return await setPaused(call, true);
}

export async function resumeQueueRoute(call: Call): Promise<Response> {
  return await setPaused(call, false);
}

/** Changes the limits that the body names; null takes one away. */
export async function patchQueue(call: Call): Promise<Response> {
  const { services: { queue }, caller } = call;
  const name = nameOf(call);
  const also = "application/merge-patch+json";
  const input = await readJson(call, { limitBytes: BODY_BYTES, also });
  const change = parseLimits(input);
  return answer(name, await limitQueue(queue, name, { change, by: caller.name }));
}

async function setPaused(call: Call, isPaused: boolean): Promise<Response> {
  const name = nameOf(call);
  const { services: { queue }, caller } = call;
  return answer(name, await pauseQueue(queue, name, { isPaused, by: caller.name }));
}

/**
 * The queue that the path names.
 *
 * @throws {QueueNotFoundError} when no queue can be called that.
 */
function nameOf({ params }: Call): string {
  const name = params["name"]!;
  if (!ID_PATTERN.test(name)) throw new QueueNotFoundError(name);
  return name;
}

function answer(queue: string, rules: QueueRules): Response {
  return json({ queue, ...rulesView(rules) });
}
