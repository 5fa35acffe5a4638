/** Jobs whose handler adds others: they are there once when it has succeeded, and never before. */
import type { Job } from "../../../src/job/job.ts";
import { none } from "../experiment.ts";
import { between } from "../random.ts";
import { type Errand, inQueue } from "./errand.ts";

const QUEUE = "follow-ups";
const LEAVES = "leaves";

export function followUps(): Errand {
  /** How many follow-ups each parent must have. */
  const wanted = new Map<string, number>();
  const early: string[] = [];
  return {
    name: "follow-ups",
    async go(patient, _number, random) {
      const leaves = between(random, 1, 3);
      const job = { kind: "grow", payload: { leaves }, queue: QUEUE };
      wanted.set((await patient.post("/jobs", job)).body.job_id, leaves);
    },
    look(live) {
      const parents = new Set(inQueue(live, QUEUE).map(({ id }) => id));
      for (const { key } of inQueue(live, LEAVES)) if (parents.has(key!)) early.push(key!);
    },
    audit({ jobs }) {
      const parents = inQueue(jobs, QUEUE);
      const leavesOf = Map.groupBy(inQueue(jobs, LEAVES), ({ key }) => key);
      const count = ({ id }: Job) => leavesOf.get(id)?.length ?? 0;
      const wrong = parents.filter((parent) => count(parent) !== wanted.get(parent.id))
        .map((parent) => `${parent.id} has ${count(parent)} of ${wanted.get(parent.id)}`);
      return Promise.resolve([
        { what: "follow-ups: jobs that add them", found: parents.length, wanted: { atLeast: 1 } },
        none("follow-ups: jobs that were doubled or lost", mismatch(parents, wanted.size)),
        none("follow-ups: jobs with other follow-ups than one of each", wrong),
        none("follow-ups: seen before the success of their job", early),
      ]);
    },
  };
}

/** Jobs that were submitted without an id: as many must be there as were acknowledged. */
export function mismatch(found: readonly Job[], acknowledged: number): string[] {
  return found.length === acknowledged ? [] : [`${found.length} instead of ${acknowledged}`];
}
