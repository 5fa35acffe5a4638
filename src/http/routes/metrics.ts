/** `GET /metrics`: the figures of the queue and of this process, for Prometheus. */
import type { MetricSum } from "../../store/store.ts";
import { processFigures } from "../../lib/process_figures.ts";
import { renderPrometheus } from "../../queue/prometheus.ts";
import type { Call } from "../context.ts";
import { SECURITY_HEADERS } from "../headers.ts";

export async function getMetrics({ services }: Call): Promise<Response> {
  const { queue, version } = services;
  const [stats, workers, stored] = await Promise.all([
    queue.stats(),
    queue.workers(),
    queue.store.metrics(),
  ]);
  const text = renderPrometheus({
    stats,
    workers,
    sums: joined([...stored, ...queue.metrics.pending()]),
    process: { version, denoVersion: Deno.version.deno, ...processFigures() },
    nowMs: queue.clock(),
  });
  return new Response(text, {
    headers: { ...SECURITY_HEADERS, "content-type": "text/plain; version=0.0.4; charset=utf-8" },
  });
}

/** One sum for each name, label and part. */
function joined(sums: readonly MetricSum[]): MetricSum[] {
  const byKey = new Map<string, MetricSum>();
  for (const sum of sums) {
    const key = JSON.stringify([sum.name, sum.label, sum.part]);
    const before = byKey.get(key)?.value ?? 0;
    byKey.set(key, { ...sum, value: before + sum.value });
  }
  return [...byKey.values()];
}
