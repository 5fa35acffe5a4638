/**
 * The figures of the queue in the text format of Prometheus (version 0.0.4 of its exposition
 * format). Owns names, help and order; every figure comes as an argument.
 */
import { STATES } from "../job/state.ts";
import type { MetricSum, Stats, WorkerStatus } from "../store/store.ts";
import { BUCKETS, INFINITE } from "./metrics.ts";

export interface ProcessFigures {
  readonly version: string;
  readonly denoVersion: string;
  readonly residentBytes: number;
  /** Null: the system does not tell. */
  readonly cpuSeconds: number | null;
  readonly openDescriptors: number | null;
  readonly startedAtMs: number;
}

export interface Figures {
  readonly stats: Stats;
  readonly workers: readonly WorkerStatus[];
  /** Of all processes, what this one has not handed over yet included. */
  readonly sums: readonly MetricSum[];
  readonly process: ProcessFigures;
  readonly nowMs: number;
}

/** So many queues are told apart; a monitor keeps each name for ever. */
const MOST_QUEUES = 200;

/** The whole page. */
export function renderPrometheus(figures: Figures): string {
  const { stats, workers, sums, process, nowMs } = figures;
  const page = new Page();
  const queues = stats.queues.slice(0, MOST_QUEUES);

  page.family("queuectl_jobs", "gauge", "Jobs by queue and state.");
  for (const { queue, counts } of queues) {
    for (const state of STATES) page.sample("queuectl_jobs", { queue, state }, counts[state]);
  }
  page.family(
    "queuectl_queue_latency_seconds",
    "gauge",
    "How long the job that has been due for the longest time has waited; 0: none is due.",
  );
  for (const { queue, oldestReadyAtMs } of queues) {
    const latencyMs = oldestReadyAtMs === null ? 0 : Math.max(0, nowMs - oldestReadyAtMs);
    page.sample("queuectl_queue_latency_seconds", { queue }, latencyMs / 1_000);
  }
  page.family("queuectl_queue_paused", "gauge", "1 while a queue is paused.");
  for (const { queue, rules } of queues) {
    page.sample("queuectl_queue_paused", { queue }, rules.pausedAtMs === null ? 0 : 1);
  }
  page.family("queuectl_workers", "gauge", "Live workers by what they do.");
  for (const status of ["idle", "busy", "draining"] as const) {
    const found = workers.filter((worker) => worker.status === status).length;
    page.sample("queuectl_workers", { status }, found);
  }

  const of = (name: string) => sums.filter((sum) => sum.name === name);
  histogram(page, "job_wait_seconds", {
    help: "From when a job was due to when a worker took it.",
    sums: of("job_wait_seconds"),
  });
  histogram(page, "job_duration_seconds", {
    help: "How long attempts ran.",
    sums: of("job_duration_seconds"),
  });
  counter(page, "jobs_completed_total", {
    help: "Jobs that were completed.",
    label: "queue",
    sums: of("jobs_completed_total"),
  });
  counter(page, "jobs_failed_total", {
    help: "Attempts that failed, by reason.",
    label: "reason",
    sums: of("jobs_failed_total"),
  });
  counter(page, "worker_restarts_total", {
    help: "Worker threads that were replaced, by what had become of them.",
    label: "reason",
    sums: of("worker_restarts_total"),
  });

  page.single("process_resident_memory_bytes", "gauge", "Memory of this process.", {
    value: process.residentBytes,
  });
  if (process.cpuSeconds !== null) {
    page.single("process_cpu_seconds_total", "counter", "Processor time of this process.", {
      value: process.cpuSeconds,
    });
  }
  if (process.openDescriptors !== null) {
    page.single("process_open_fds", "gauge", "Open file descriptors.", {
      value: process.openDescriptors,
    });
  }
  page.single("process_start_time_seconds", "gauge", "When this process started, since 1970.", {
    value: process.startedAtMs / 1_000,
  });
  page.single("queuectl_build_info", "gauge", "What this is.", {
    labels: { version: process.version, deno: process.denoVersion },
    value: 1,
  });
  return page.text;
}

function histogram(
  page: Page,
  name: keyof typeof BUCKETS,
  { help, sums }: { help: string; sums: readonly MetricSum[] },
): void {
  const full = `queuectl_${name}`;
  page.family(full, "histogram", help);
  for (const queue of labelsOf(sums)) {
    const parts = new Map(
      sums.filter(({ label }) => label === queue).map(({ part, value }) => [part, value]),
    );
    let upTo = 0;
    for (const end of [...BUCKETS[name].map(String), INFINITE]) {
      upTo += parts.get(end) ?? 0;
      page.sample(`${full}_bucket`, { queue, le: end }, upTo);
    }
    page.sample(`${full}_sum`, { queue }, parts.get("sum") ?? 0);
    page.sample(`${full}_count`, { queue }, upTo);
  }
}

function counter(
  page: Page,
  name: string,
  { help, label, sums }: { help: string; label: string; sums: readonly MetricSum[] },
): void {
  const full = `queuectl_${name}`;
  page.family(full, "counter", help);
  for (const word of labelsOf(sums)) {
    const total = sums.filter((sum) => sum.label === word).reduce(
      (sum, { value }) => sum + value,
      0,
    );
    page.sample(full, { [label]: word }, total);
  }
}

function labelsOf(sums: readonly MetricSum[]): string[] {
  return [...new Set(sums.map(({ label }) => label))].sort();
}

class Page {
  text = "";

  family(name: string, type: "gauge" | "counter" | "histogram", help: string): void {
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  sample(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    const inner = Object.entries(labels).map(([key, text]) => `${key}="${escape(text)}"`).join(",");
    this.text += `${name}${inner === "" ? "" : `{${inner}}`} ${value}\n`;
  }

  single(
    name: string,
    type: "gauge" | "counter",
    help: string,
    { labels = {}, value }: { labels?: Readonly<Record<string, string>>; value: number },
  ): void {
    this.family(name, type, help);
    this.sample(name, labels, value);
  }
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
