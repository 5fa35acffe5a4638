/** The raw work from submit to start: one durable commit that inserts, one that claims. */
import { type IdleOptions, sampleIdle } from "../idle_samples.ts";
import { prepareBareQueue } from "./claimer.ts";
import { openBare, RUNNABLE } from "./database.ts";

const { directory, samples }: IdleOptions = JSON.parse(Deno.args[0]!);
const queue = prepareBareQueue(openBare(`${directory}/bare.db`, RUNNABLE));
const payload = new Uint8Array(100).fill(65);

const figures = await sampleIdle(samples, () => {
  const begunMs = performance.now();
  queue.commit(() => queue.insert(payload));
  queue.commit(() => queue.claim(1));
  return performance.now() - begunMs;
});
console.log(JSON.stringify(figures));
