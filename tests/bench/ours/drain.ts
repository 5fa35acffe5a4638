/** queuectl's drain: jobs that wait, run by worker threads; then added and run at the same time. */
import { startEngine } from "../../../src/supervisor/engine.ts";
import type { DrainFigures, DrainOptions } from "../scenarios/drain.ts";
import { dbOf, openQueue, watchJobs } from "./queue.ts";

/** As many customers as share the queue. */
const KEYS = 100;

const options: DrainOptions = JSON.parse(Deno.args[0]!);
const { jobs, payloadBytes, inFlight, workers, flow } = options;
const payload = new Uint8Array(payloadBytes).fill(65);
let made = 0;
const newInput = () => ({
  kind: "count",
  payload,
  ...(flow === "keys" ? { key: `key-${made++ % KEYS}` } : {}),
});
const opened = await openQueue(dbOf(options), { workers });
const { queue, settings } = opened;
if (flow === "limits") {
  // So high that they hold up nothing: what is measured is that they are looked at.
  const rate = { limit: 1_000_000, periodMs: 1_000 };
  await queue.store.changeQueue("default", { maxRunning: 1_000_000, rate }, Date.now());
}

const prepared = Math.ceil(jobs / 1_000) * 1_000;
for (let added = 0; added < prepared; added += 1_000) {
  await queue.addAll(Array.from({ length: 1_000 }, newInput));
}

const drained = watchJobs(queue, prepared);
const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });
const { startMs, endMs } = await drained;

const bothDrained = watchJobs(queue, jobs);
const addingMs = performance.now();
let begun = 0;
await Promise.all(Array.from({ length: inFlight }, async () => {
  while (begun++ < jobs) await queue.add(newInput());
}));
const { endMs: bothEndMs } = await bothDrained;

await engine.stop();
await opened[Symbol.asyncDispose]();
const figures: DrainFigures = {
  drainPerSecond: prepared / (endMs - startMs) * 1_000,
  addAndDrainPerSecond: jobs / (bothEndMs - addingMs) * 1_000,
};
console.log(JSON.stringify(figures));
