/** Jobs that wait for others, of which some fail: each runs, or is cancelled, as it was to. */
import type { Job } from "../../../src/job/job.ts";
import { none } from "../experiment.ts";
import { type Errand, inQueue } from "./errand.ts";

const QUEUE = "dependents";

export function dependents(): Errand {
  let families = 0;
  return {
    name: "dependents",
    async go(patient, number, random) {
      const id = (name: string) => `family-${number}-${name}`;
      const after = (name: string, on: string, ...names: string[]) => ({
        ...{ id: id(name), queue: QUEUE, kind: "count", payload: name },
        ...{ after: names.map(id), after_on: on },
      });
      const root = random() < 0.3
        ? { command: "exit 1", max_retries: 0 }
        : { kind: "count", payload: "x" };
      await patient.post("/jobs/batch", [
        { id: id("root"), queue: QUEUE, ...root },
        after("heir", "success", "root"),
        after("nurse", "failure", "root"),
        after("both", "any", "root", "heir"),
        after("last", "any", "both", "nurse"),
      ]);
      families++;
    },
    audit({ jobs }) {
      const mine = inQueue(jobs, QUEUE);
      const byId = new Map(mine.map((job) => [job.id, job]));
      const roots = mine.filter(({ id }) => id.endsWith("-root"));
      const wrong: string[] = [];
      const early: string[] = [];
      for (const root of roots) {
        const of = (name: string) => byId.get(root.id.replace(/root$/, name));
        const isGood = root.state === "completed";
        const expected = {
          heir: isGood ? "completed" : "cancelled",
          nurse: isGood ? "cancelled" : "completed",
          both: "completed",
          last: "completed",
        };
        for (const [name, state] of Object.entries(expected)) {
          const job = of(name);
          if (job?.state !== state) wrong.push(`${root.id} ${root.state}: ${name} ${job?.state}`);
        }
        const order = [["root", "heir"], ["root", "nurse"], ["heir", "both"], ["both", "last"]];
        for (const [one, other] of order) {
          if (isBefore(of(other!), of(one!))) early.push(`${root.id}: ${other} before ${one}`);
        }
      }
      const lost = mine.length === families * 5 ? [] : [`${mine.length} of ${families * 5} jobs`];
      return Promise.resolve([
        { what: "dependents: families", found: roots.length, wanted: { atLeast: 1 } },
        none("dependents: jobs that were doubled or lost", lost),
        none("dependents: with another end than they were to have", wrong),
        none("dependents: that ran before what they waited for had ended", early),
      ]);
    },
  };
}

/** Whether a job had started when the one that it waited for had not ended. */
function isBefore(dependent: Job | undefined, awaited: Job | undefined): boolean {
  const startedAtMs = dependent?.startedAtMs ?? null;
  return startedAtMs !== null && startedAtMs < (awaited?.finishedAtMs ?? Infinity);
}
