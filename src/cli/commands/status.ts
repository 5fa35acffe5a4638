/** `queuectl status`: the queue at a glance. */
import { STATES } from "../../job/state.ts";
import { humanDuration } from "../../lib/duration.ts";
import { statsView } from "../../queue/views.ts";
import type { StateCounts, Stats, Throughput, WorkerStatus } from "../../store/store.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import type { Column, Output } from "../output.ts";
import { printWorkers } from "../worker_table.ts";

const COLUMNS: readonly Column[] = [
  { title: "QUEUE" },
  ...STATES.map((state) => ({ title: state.toUpperCase(), align: "right" } as const)),
];

export function run(invocation: Invocation): Promise<number> {
  const { out, options } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    if (options.isOn("watch")) {
      const { watchStatus } = await import("../status_watch.ts");
      await watchStatus(invocation, { queue, print: printStatus });
      return EXIT.done;
    }
    const [stats, workers] = await Promise.all([queue.stats(), queue.workers()]);
    const nowMs = queue.clock();
    if (out.isJson) out.json(statsView(stats, workers, nowMs));
    else printStatus(out, { stats, workers, nowMs });
    return EXIT.done;
  });
}

function printStatus(
  out: Output,
  { stats, workers, nowMs }: {
    readonly stats: Stats;
    readonly workers: readonly WorkerStatus[];
    readonly nowMs: number;
  },
): void {
  const queues = stats.queues.map(({ queue, counts, rules }) => [
    rules.pausedAtMs === null ? queue : `${queue} ${out.colors.yellow("(paused)")}`,
    ...numbers(counts, out),
  ]);
  out.table(COLUMNS, [...queues, [out.colors.bold("all"), ...numbers(stats.counts, out)]]);
  out.line();
  out.facts([
    ["Oldest ready job", describeOldest(stats.oldestReadyAtMs, nowMs)],
    ["Last minute", describeThroughput(stats.lastMinute)],
    ["Last hour", describeThroughput(stats.lastHour)],
  ]);
  out.line();
  printWorkers(out, workers);
}

function numbers(counts: StateCounts, out: Output): string[] {
  return STATES.map((state) => {
    const count = counts[state];
    if (count === 0) return out.colors.dim("0");
    return state === "dead" ? out.colors.red(String(count)) : String(count);
  });
}

function describeOldest(atMs: number | null, nowMs: number): string {
  return atMs === null ? "none waits" : `waits for ${humanDuration(Math.max(0, nowMs - atMs))}`;
}

function describeThroughput(throughput: Throughput): string {
  return `${throughput.added} added, ${throughput.completed} completed, ` +
    `${throughput.failedAttempts} failed attempts, ${throughput.dead} dead, ` +
    `${throughput.cancelled} cancelled`;
}
