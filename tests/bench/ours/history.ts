/**
 * The operations that a long history might slow down, timed on two files: one with a short history
 * and one with a long one. In turn, one operation here and one there, so that noise meets both.
 */
import { historyId } from "../history_file.ts";
import { median } from "../numbers.ts";
import type { HistoryFigures, HistoryOptions } from "../scenarios/history.ts";
import { type OpenedQueue, openQueue } from "./queue.ts";

const { files, samples }: HistoryOptions = JSON.parse(Deno.args[0]!);

const WARMUP = 30;
const PAGE = 50;

type Operation = (sample: number) => Promise<unknown>;

/** What is timed on a file that begins with so many finished jobs. */
function operationsOn({ queue, store }: OpenedQueue, jobs: number): Record<string, Operation> {
  const holder = "bench";
  const input = { kind: "count", payload: new Uint8Array(100).fill(65) };
  // Spread over the whole history, without a pattern that fits a cache.
  const someId = (sample: number) => historyId(1 + sample * 7_919 % jobs);
  return {
    submit: () => queue.add(input),
    claim: () =>
      store.claim(() => ({
        holder,
        nowMs: Date.now() + 1_000,
        leaseExpiresAtMs: Date.now() + 60_000,
        slots: ["w-1"],
        chunk: {},
        chunkBytes: 1_000_000,
      })),
    status: (sample) => queue.find(someId(sample)),
    "list, newest": () => queue.list({ limit: PAGE }),
    "list, completed": () => queue.list({ states: ["completed"], limit: PAGE }),
    "list, dead": () => queue.list({ states: ["dead"], limit: PAGE }),
    stats: () => queue.stats(),
  };
}

const [short, long] = files;
await using shortQueue = await openQueue(short.path);
await using longQueue = await openQueue(long.path);
const onShort = operationsOn(shortQueue, short.jobs);
const onLong = operationsOn(longQueue, long.jobs);

async function time(operation: Operation, sample: number): Promise<number> {
  const startMs = performance.now();
  await operation(sample);
  return performance.now() - startMs;
}

const figures: Record<string, { shortMs: number; longMs: number }> = {};
for (const name of Object.keys(onShort)) {
  const shortMs: number[] = [];
  const longMs: number[] = [];
  for (let sample = 0; sample < WARMUP + samples; sample++) {
    const found = [await time(onShort[name]!, sample), await time(onLong[name]!, sample)] as const;
    if (sample < WARMUP) continue;
    shortMs.push(found[0]);
    longMs.push(found[1]);
  }
  figures[name] = { shortMs: median(shortMs), longMs: median(longMs) };
}
console.log(JSON.stringify(figures satisfies HistoryFigures));
