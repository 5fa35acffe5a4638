/** The queue as a whole: counts, throughput, queues, workers. */
import { countsView, statsView, workerView } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";

export async function getStats({ services: { queue } }: Call): Promise<Response> {
  const [stats, workers] = await Promise.all([queue.stats(), queue.workers()]);
  return json(statsView(stats, workers, queue.clock()));
}

export async function getQueues({ services: { queue } }: Call): Promise<Response> {
  const { queues } = await queue.stats();
  return json({
    queues: queues.map(({ queue: name, counts }) => ({ queue: name, jobs: countsView(counts) })),
  });
}

export async function getWorkers({ services: { queue } }: Call): Promise<Response> {
  return json({ workers: (await queue.workers()).map(workerView) });
}
