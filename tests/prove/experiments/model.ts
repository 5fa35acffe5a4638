/** Random histories, walked through the store and through the model of `tests/sim/`. */
import fc from "fast-check";
import { type JobEvent, TRANSITIONS } from "../../../src/job/state.ts";
import { tempStore } from "../../helpers/temp_store.ts";
import { compareAtTheEnd, histories } from "../../sim/commands.ts";
import { Model } from "../../sim/model.ts";
import { type Experiment, type Figure, none, type ProveContext } from "../experiment.ts";

const MAX_EVENTS = 60;

export const model: Experiment = {
  name: "model",
  about: "random command sequences: the store agrees with a model of the transition table",
  limitMs: ({ pick }) => pick(60 * 60_000, 180_000),

  async run({ pick, seed, progress }: ProveContext): Promise<Figure[]> {
    const goal = pick(10_000, 300);
    const walked = new Set<JobEvent>();
    let walks = 0;
    let events = 0;
    const property = fc.asyncProperty(histories(MAX_EVENTS), async (history) => {
      await using temp = await tempStore();
      const stores = [temp.store, await temp.openAgain()] as const;
      const model = new Model(walked);
      await fc.asyncModelRun(() => ({ model, real: stores }), history);
      await compareAtTheEnd(model, stores);
      events += [...history].length;
      if (++walks % 1_000 === 0) progress(`${walks} sequences`);
    });
    const outcome = await fc.check(property, { seed, numRuns: goal });
    const missing = Object.keys(TRANSITIONS).filter((event) => !walked.has(event as JobEvent));
    return [
      { what: "sequences", found: outcome.numRuns, wanted: { is: goal }, note: `seed ${seed}` },
      { what: "events in them", found: events },
      none("sequences in which store and model differ", [
        ...outcome.failed ? [`${outcome.errorInstance} at ${outcome.counterexample}`] : [],
      ]),
      none("transitions that no sequence walked", missing),
    ];
  },
};
