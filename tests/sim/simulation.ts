/**
 * The simulation: random histories of several processes, some of them late, walked through the real
 * store and through a model of the transition table side by side.
 *
 * `SIM_SEED=n` repeats a run, `SIM_RUNS=n` makes it longer.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type JobEvent, TRANSITIONS } from "../../src/job/state.ts";
import { compareAtTheEnd, histories, type Stores } from "./commands.ts";
import { Model } from "./model.ts";

const SEED = wholeNumber("SIM_SEED", Math.floor(Math.random() * 2 ** 31));
const MAX_EVENTS = 60;

/** Two connections to one new database. */
export type OpenTwo = () => Promise<AsyncDisposable & { readonly stores: Stores }>;

/** Registers the simulation of a backend; `runs` is how many histories it walks unless told otherwise. */
export function simulate(name: string, open: OpenTwo, runs = 300): void {
  const numRuns = wholeNumber("SIM_RUNS", runs);
  Deno.test({
    name: `${name}: ${numRuns} random histories: the store and the model agree after every event ` +
      `(SIM_SEED=${SEED})`,
    async fn() {
      console.log(`simulation: SIM_SEED=${SEED} SIM_RUNS=${numRuns} repeats this run`);
      const walked = new Set<JobEvent>();
      const property = fc.asyncProperty(histories(MAX_EVENTS), async (events) => {
        await using opened = await open();
        const { stores } = opened;
        const model = new Model(walked);
        await fc.asyncModelRun(() => ({ model, real: stores }), events);
        await compareAtTheEnd(model, stores);
      });
      await fc.assert(property, { seed: SEED, numRuns });
      // A simulation that never buries a job proves nothing about the dead.
      if (numRuns >= 100) assert.deepEqual([...walked].sort(), Object.keys(TRANSITIONS).sort());
    },
  });
}

function wholeNumber(variable: string, fallback: number): number {
  const text = Deno.env.get(variable);
  if (text === undefined || text === "") return fallback;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number < 2 ** 31) return number;
  throw new Error(`${variable}: expected a whole number from 1 to ${2 ** 31 - 1}, got "${text}"`);
}
