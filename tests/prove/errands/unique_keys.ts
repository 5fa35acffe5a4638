/** Jobs that share unique keys: at no moment do two with the same key live, and no key stays taken. */
import { none } from "../experiment.ts";
import { between, oneOf } from "../random.ts";
import { type Errand, inQueue } from "./errand.ts";

const QUEUE = "unique";
const KEYS = 3;

export function uniqueKeys(): Errand {
  const twins: string[] = [];
  const ids = new Set<string>();
  const job = { kind: "count", payload: "x", queue: QUEUE };
  return {
    name: "unique keys",
    async go(patient, _number, random) {
      const { status, body } = await patient.post("/jobs", {
        ...job,
        unique_key: `key-${between(random, 1, KEYS)}`,
        on_conflict: oneOf(random, ["return", "replace", "refuse"]),
      }, [409]);
      if (status !== 409) ids.add(body.job_id);
    },
    look(live) {
      const byKey = Map.groupBy(inQueue(live, QUEUE), ({ options }) => options!.uniqueKey!);
      for (const [key, jobs] of byKey) {
        if (jobs.length > 1) twins.push(`${key}: ${jobs.map(({ id, state }) => `${id} ${state}`)}`);
      }
    },
    async audit({ jobs, patient }) {
      const mine = inQueue(jobs, QUEUE);
      const stuck: string[] = [];
      for (let number = 1; number <= KEYS; number++) {
        const unique_key = `key-${number}`;
        const last = { ...job, unique_key, on_conflict: "refuse", delay: "1h" };
        if ((await patient.post("/jobs", last, [409])).status !== 201) stuck.push(unique_key);
      }
      const unknown = mine.filter(({ id }) => !ids.has(id)).map(({ id }) => id);
      const states = mine.filter(({ state }) => state !== "completed" && state !== "cancelled");
      return [
        { what: "unique keys: jobs", found: mine.length, wanted: { atLeast: KEYS } },
        none("unique keys: moments in which two lived with the same key", twins),
        none("unique keys: jobs of which nobody was told", unknown),
        none("unique keys: jobs that died", states.map(({ id, state }) => `${id} is ${state}`)),
        none("unique keys: keys that stayed taken", stuck),
      ];
    },
  };
}
