/**
 * Counts and histograms of what this process does, for monitoring. Gathered in memory from events, so
 * that a job costs a few additions and no write; handed to the store with each heartbeat. What a
 * process that is killed had not handed over is lost: these are figures, not promises.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import type { JobStore, MetricName, MetricSum } from "../store/store.ts";
import type { EventBus, QueueEvent } from "./events.ts";

/** Upper ends of the buckets, in seconds. */
export const BUCKETS: Readonly<Record<"job_wait_seconds" | "job_duration_seconds", number[]>> = {
  job_wait_seconds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 3_600],
  job_duration_seconds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 3_600],
};

/** The end of the last bucket, which has none. */
export const INFINITE = "+Inf";

/** So many queues have figures of their own; those named later share one. */
const MOST_LABELS = 200;
const OTHERS = "(others)";

export class Metrics implements Disposable {
  readonly #store: JobStore;
  readonly #subscription: Disposable;
  readonly #histograms = new Map<string, Histogram>();
  readonly #counters = new Map<string, MetricSum & { value: number }>();
  readonly #labels = new Set<string>();

  constructor(store: JobStore, events: EventBus) {
    this.#store = store;
    this.#subscription = events.subscribe((event) => this.#take(event));
  }

  /** What was not handed over yet. */
  pending(): MetricSum[] {
    const sums = [...this.#counters.values()].filter(({ value }) => value !== 0);
    return [...sums, ...[...this.#histograms.values()].flatMap((histogram) => histogram.sums())];
  }

  /** Hands over to the store; keeps it for the next time where that does not go. */
  async flush(): Promise<void> {
    const sums = this.pending().map((sum) => ({ ...sum }));
    if (sums.length === 0) return;
    this.#forget();
    try {
      await this.#store.addMetrics(sums);
    } catch (error) {
      for (const sum of sums) this.#restore(sum);
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #take(event: QueueEvent): void {
    switch (event.type) {
      case "job.started":
        return this.#observe("job_wait_seconds", event.queue, event.waitedMs / 1_000);
      case "job.ended":
        if (event.event === "release") return;
        this.#observe("job_duration_seconds", event.queue, event.durationMs / 1_000);
        if (event.event === "complete") this.#count("jobs_completed_total", event.queue);
        if (event.error !== undefined) this.#count("jobs_failed_total", event.error.code);
        return;
      case "job.reaped":
        return this.#count("jobs_failed_total", "lapse");
      case "worker.died":
        return this.#count("worker_restarts_total", event.reason);
    }
  }

  #count(name: MetricName, label: string, value = 1): void {
    const bounded = this.#bounded(label);
    const key = `${name} ${bounded}`;
    const counter = this.#counters.get(key);
    if (counter !== undefined) counter.value += value;
    else this.#counters.set(key, { name, label: bounded, part: "", value });
  }

  #observe(name: keyof typeof BUCKETS, label: string, seconds: number): void {
    this.#histogram(name, this.#bounded(label)).observe(seconds);
  }

  #histogram(name: keyof typeof BUCKETS, label: string): Histogram {
    const key = `${name} ${label}`;
    let histogram = this.#histograms.get(key);
    if (histogram === undefined) {
      this.#histograms.set(key, histogram = new Histogram(name, label));
    }
    return histogram;
  }

  #bounded(label: string): string {
    if (this.#labels.has(label)) return label;
    if (this.#labels.size >= MOST_LABELS) return OTHERS;
    this.#labels.add(label);
    return label;
  }

  #forget(): void {
    for (const counter of this.#counters.values()) counter.value = 0;
    for (const histogram of this.#histograms.values()) histogram.clear();
  }

  #restore({ name, label, part, value }: MetricSum): void {
    if (name in BUCKETS) this.#histogram(name as keyof typeof BUCKETS, label).add(part, value);
    else this.#count(name, label, value);
  }
}

/** Observations by bucket; each bucket holds its own only, not those below it. */
class Histogram {
  readonly #name: keyof typeof BUCKETS;
  readonly #label: string;
  readonly #ends: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(name: keyof typeof BUCKETS, label: string) {
    this.#name = name;
    this.#label = label;
    this.#ends = BUCKETS[name];
    this.#counts = Array(this.#ends.length + 1).fill(0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < this.#ends.length && seconds > this.#ends[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += seconds;
  }

  sums(): MetricSum[] {
    const of = { name: this.#name, label: this.#label };
    const sums = this.#counts.flatMap((value, bucket) =>
      value === 0 ? [] : [{ ...of, part: partOf(this.#ends[bucket]), value }]
    );
    return sums.length === 0 ? [] : [...sums, { ...of, part: "sum", value: this.#sum }];
  }

  add(part: string, value: number): void {
    if (part === "sum") this.#sum += value;
    else {
      const bucket = this.#ends.findIndex((end) => partOf(end) === part);
      this.#counts[bucket === -1 ? this.#ends.length : bucket]! += value;
    }
  }

  clear(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }
}

function partOf(end: number | undefined): string {
  return end === undefined ? INFINITE : String(end);
}
