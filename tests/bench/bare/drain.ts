/**
 * The bare drain: one loop that settles the jobs of the last commit and claims the next ones in the
 * same commit. Then the same with inserts, so many in each commit as are in flight.
 */
import { prepareBareQueue } from "./claimer.ts";
import { openBare, RUNNABLE } from "./database.ts";
import type { DrainFigures, DrainOptions } from "../scenarios/drain.ts";

const PER_COMMIT = 100;

const { directory, jobs, payloadBytes, inFlight }: DrainOptions = JSON.parse(Deno.args[0]!);
const payload = new Uint8Array(payloadBytes).fill(65);
const queue = prepareBareQueue(openBare(`${directory}/bare.db`, RUNNABLE));

for (let added = 0; added < jobs; added += 1_000) {
  queue.commit(() => {
    for (let index = 0; index < 1_000; index++) queue.insert(payload);
  });
}

function drain(insertPerCommit: number, count: number): number {
  const startMs = performance.now();
  let inserted = 0;
  let settled = 0;
  let inHand = queue.claim(0);
  while (settled < count) {
    queue.commit(() => {
      const ready = inHand;
      for (let index = 0; index < insertPerCommit && inserted < count; index++, inserted++) {
        queue.insert(payload);
      }
      queue.settle(ready);
      settled += ready.length;
      inHand = queue.claim(PER_COMMIT);
    });
  }
  return count / (performance.now() - startMs) * 1_000;
}

const figures: DrainFigures = {
  drainPerSecond: drain(0, Math.ceil(jobs / 1_000) * 1_000),
  addAndDrainPerSecond: drain(inFlight, jobs),
};
console.log(JSON.stringify(figures));
