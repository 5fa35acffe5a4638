/** From submit to start on an idle queue, within one process. */
import { startEngine } from "../../../src/supervisor/engine.ts";
import { type IdleOptions, sampleIdle } from "../idle_samples.ts";
import { dbOf, openQueue } from "./queue.ts";

const options: IdleOptions = JSON.parse(Deno.args[0]!);
const { samples } = options;
const opened = await openQueue(dbOf(options));
const { queue, settings } = opened;
const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });
const input = { kind: "count", payload: new Uint8Array(100).fill(65) };

let started: () => void = () => {};
queue.events.subscribe(({ type }) => type === "job.started" && started());

const figures = await sampleIdle(samples, async () => {
  const begunMs = performance.now();
  const starting = new Promise<void>((resolve) => started = resolve);
  const adding = queue.add(input);
  await starting;
  const ms = performance.now() - begunMs;
  await adding;
  return ms;
});
await engine.stop();
await opened[Symbol.asyncDispose]();
console.log(JSON.stringify(figures));
