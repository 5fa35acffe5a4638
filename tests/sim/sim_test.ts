/**
 * The simulation: random histories of several processes, some of them late, walked through the real
 * store and through a model of the transition table side by side.
 *
 * `SIM_SEED=n` repeats a run, `SIM_RUNS=n` makes it longer.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type JobEvent, TRANSITIONS } from "../../src/job/state.ts";
import { tempStore } from "../helpers/temp_store.ts";
import { compareAtTheEnd, histories } from "./commands.ts";
import { Model } from "./model.ts";

const RUNS = wholeNumber("SIM_RUNS", 300);
const SEED = wholeNumber("SIM_SEED", Math.floor(Math.random() * 2 ** 31));
const MAX_EVENTS = 60;

Deno.test({
  name: `${RUNS} random histories: the store and the model agree after every event ` +
    `(SIM_SEED=${SEED})`,
  async fn() {
    console.log(`simulation: SIM_SEED=${SEED} SIM_RUNS=${RUNS} repeats this run`);
    const walked = new Set<JobEvent>();
    const property = fc.asyncProperty(histories(MAX_EVENTS), async (events) => {
      await using temp = await tempStore();
      const stores = [temp.store, await temp.openAgain()] as const;
      const model = new Model(walked);
      await fc.asyncModelRun(() => ({ model, real: stores }), events);
      await compareAtTheEnd(model, stores);
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
    // A simulation that never buries a job proves nothing about the dead.
    if (RUNS >= 100) assert.deepEqual([...walked].sort(), Object.keys(TRANSITIONS).sort());
  },
});

function wholeNumber(variable: string, fallback: number): number {
  const text = Deno.env.get(variable);
  if (text === undefined || text === "") return fallback;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number < 2 ** 31) return number;
  throw new Error(`${variable}: expected a whole number from 1 to ${2 ** 31 - 1}, got "${text}"`);
}
