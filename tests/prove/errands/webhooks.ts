/** Jobs whose outcome is to be posted: whatever it is and whoever dies, it arrives at least once. */
import { eventually } from "../../helpers/eventually.ts";
import { Receiver } from "../../helpers/receiver.ts";
import { none } from "../experiment.ts";
import { type Errand, inQueue } from "./errand.ts";
import { mismatch } from "./follow_ups.ts";

const QUEUE = "told";

/** A delivery whose process was killed is taken over after 20 s. */
const LIMIT_MS = 45_000;

export function webhooks(): Errand {
  const receiver = new Receiver();
  let acknowledged = 0;
  return {
    name: "webhooks",
    async go(patient, number) {
      const callback_url = receiver.url("/in");
      const work = number % 3 === 0
        ? { command: "exit 1", max_retries: 0 }
        : { kind: "count", payload: "x", ...(number % 3 === 1 ? { delay: "1h" } : {}) };
      const { body } = await patient.post("/jobs", { queue: QUEUE, callback_url, ...work });
      acknowledged++;
      // 409: cancelled by the same request, whose answer was lost.
      if (number % 3 === 1) await patient.post(`/jobs/${body.job_id}/cancel`, undefined, [409]);
    },
    async audit({ jobs }) {
      const mine = inQueue(jobs, QUEUE);
      const told = () =>
        new Set(receiver.received.map(({ body }) => {
          const { data } = JSON.parse(body);
          return `${data.job_id} is ${data.state}`;
        }));
      const startedMs = performance.now();
      const missing = () => {
        const heard = told();
        return mine.map(({ id, state }) => `${id} is ${state}`).filter((one) => !heard.has(one));
      };
      await eventually(() => missing().length === 0, {
        what: "every outcome was told",
        timeoutMs: LIMIT_MS,
        everyMs: 100,
      }).catch(() => {}); // it is a figure
      const untold = missing();
      const names = new Set(mine.map(({ id, state }) => `${id} is ${state}`));
      const untrue = [...told()].filter((one) => !names.has(one));
      const ids = receiver.received.map(({ headers }) => headers.get("webhook-id"));
      await receiver[Symbol.asyncDispose]();
      return [
        { what: "webhooks: outcomes to be told", found: mine.length, wanted: { atLeast: 1 } },
        none("webhooks: jobs that were doubled or lost", mismatch(mine, acknowledged)),
        none("webhooks: outcomes never told", untold),
        none("webhooks: told what is not so", untrue),
        { what: "webhooks: told more than once", found: ids.length - new Set(ids).size },
        {
          what: "webhooks: waited for",
          found: Math.round(performance.now() - startedMs),
          unit: "ms",
        },
      ];
    },
  };
}
