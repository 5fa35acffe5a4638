/** The queue as a whole: counts, throughput, workers. */
import { statsView, workerView } from "../../queue/views.ts";
import { drainProcess } from "../../queue/drain.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";

export async function getStats({ services: { queue } }: Call): Promise<Response> {
  const [stats, workers] = await Promise.all([queue.stats(), queue.workers()]);
  return json(statsView(stats, workers, queue.clock()));
}

export async function getWorkers({ services: { queue } }: Call): Promise<Response> {
  return json({ workers: (await queue.workers()).map(workerView) });
}

/** Answers with the workers of the process, which finish what they have. */
export async function drainWorkers(
  { services: { queue }, params, caller }: Call,
): Promise<Response> {
  const workers = await drainProcess(queue, params["process"]!, caller.name);
  return json({ process: params["process"]!, workers: workers.map(({ label }) => label) });
}
