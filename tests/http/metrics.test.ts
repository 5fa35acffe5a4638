/** `GET /metrics`, as a monitor reads it. */
import assert from "node:assert/strict";
import parsePrometheus from "parse-prometheus-text-format";
import { type HttpBench, httpBench } from "../helpers/http.ts";

interface Family {
  readonly name: string;
  readonly type: string;
  readonly metrics: readonly {
    readonly value?: string;
    readonly labels?: Record<string, string>;
    readonly buckets?: Record<string, string>;
  }[];
}

async function scrape(bench: HttpBench): Promise<Map<string, Family>> {
  const { status, headers, text } = await bench.call("/metrics");
  assert.equal(status, 200);
  assert.match(headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const families = parsePrometheus(text) as Family[];
  return new Map(families.map((family) => [family.name, family]));
}

const started = {
  type: "job.started",
  jobId: "a",
  kind: "count",
  worker: "w-1",
  attempt: 1,
} as const;
const ended = {
  type: "job.ended",
  jobId: "a",
  kind: "count",
  worker: "w-1",
  attempt: 1,
  event: "complete",
  state: "completed",
} as const;

Deno.test("/metrics counts jobs by queue and state, and how long the oldest has waited", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { queue: "mail" });
  await bench.addCount("x", { queue: "mail" });
  await bench.settle({ event: "complete", result: "1" });
  const families = await scrape(bench);
  const jobs = families.get("queuectl_jobs")!;
  assert.equal(jobs.type, "GAUGE");
  const of = (state: string) =>
    jobs.metrics.find(({ labels }) => labels!.queue === "mail" && labels!.state === state)!.value;
  assert.deepEqual([of("pending"), of("completed"), of("dead")], ["1", "1", "0"]);
  const latency = families.get("queuectl_queue_latency_seconds")!.metrics[0]!;
  assert.ok(Number(latency.value) >= 0 && Number(latency.value) < 60, latency.value);
  assert.match(families.get("queuectl_build_info")!.metrics[0]!.labels!.version!, /^\d+\./);
  assert.ok(Number(families.get("process_resident_memory_bytes")!.metrics[0]!.value) > 1e6);
});

Deno.test("/metrics has histograms of waiting and running, cumulative, with sum and count", async () => {
  await using bench = await httpBench();
  for (const waitedMs of [0.5, 20, 700]) {
    bench.queue.events.emit({ ...started, queue: "mail", waitedMs });
    bench.queue.events.emit({ ...ended, queue: "mail", durationMs: 2_000 });
  }
  const families = await scrape(bench);
  const wait = families.get("queuectl_job_wait_seconds")!;
  assert.equal(wait.type, "HISTOGRAM");
  const { buckets } = wait.metrics[0]!;
  assert.deepEqual(
    [buckets!["0.001"], buckets!["0.01"], buckets!["0.05"], buckets!["1"], buckets!["+Inf"]],
    ["1", "1", "2", "3", "3"],
  );
  const duration = families.get("queuectl_job_duration_seconds")!.metrics
    .find((one) => one.buckets !== undefined)!;
  assert.deepEqual([duration.buckets!["1"], duration.buckets!["5"]], ["0", "3"]);
  // The parser leaves these out where a histogram has labels.
  const { text } = await bench.call("/metrics");
  assert.match(text, /^queuectl_job_wait_seconds_count\{queue="mail"\} 3$/m);
  assert.match(text, /^queuectl_job_wait_seconds_sum\{queue="mail"\} 0\.72\d+$/m);
});

Deno.test("/metrics counts completions by queue, failures and replaced workers by reason", async () => {
  await using bench = await httpBench();
  const { events } = bench.queue;
  events.emit({ ...ended, queue: "mail", durationMs: 1 });
  const error = { code: "exit", message: "exit code 1" } as const;
  for (const event of ["fail", "bury"] as const) {
    const state = event === "fail" ? "failed" : "dead";
    events.emit({ ...ended, queue: "mail", durationMs: 1, event, state, error });
  }
  events.emit({ type: "worker.died", worker: "w-1", reason: "hang", message: "x", pauseMs: 1 });
  const families = await scrape(bench);
  const of = (name: string) => {
    const { metrics } = families.get(name)!;
    return metrics.map(({ labels, value }) => [...Object.values(labels!), value]);
  };
  assert.deepEqual(of("queuectl_jobs_completed_total"), [["mail", "1"]]);
  assert.deepEqual(of("queuectl_jobs_failed_total"), [["exit", "2"]]);
  assert.deepEqual(of("queuectl_worker_restarts_total"), [["hang", "1"]]);
});

Deno.test("what other processes have handed over is added, and nothing is counted twice", async () => {
  await using bench = await httpBench();
  bench.queue.events.emit({ ...ended, queue: "mail", durationMs: 1 });
  await bench.queue.metrics.flush();
  await bench.queue.metrics.flush();
  await bench.store.addMetrics([
    { name: "jobs_completed_total", label: "mail", part: "", value: 41 },
  ]);
  bench.queue.events.emit({ ...ended, queue: "mail", durationMs: 1 });
  const families = await scrape(bench);
  const [total] = families.get("queuectl_jobs_completed_total")!.metrics;
  assert.equal(total!.value, "43");
});

Deno.test("a thousand queues do not become a thousand histograms", async () => {
  await using bench = await httpBench();
  for (let n = 0; n < 1_000; n++) {
    bench.queue.events.emit({ ...ended, queue: `queue-${n}`, durationMs: 1 });
  }
  const { metrics } = (await scrape(bench)).get("queuectl_jobs_completed_total")!;
  assert.ok(metrics.length <= 201, String(metrics.length));
  assert.equal(metrics.reduce((sum, { value }) => sum + Number(value), 0), 1_000);
});

Deno.test("a queue whose name holds quotes breaks no line", async () => {
  await using bench = await httpBench();
  bench.queue.events.emit({ ...ended, queue: 'a"b\\c\nd', durationMs: 1 });
  const { metrics } = (await scrape(bench)).get("queuectl_jobs_completed_total")!;
  assert.equal(metrics.length, 1);
});
