/** Queues with limits: however many processes claim and die, no more run or start than is allowed. */
import { isLeased } from "../../../src/job/state.ts";
import { none } from "../experiment.ts";
import { type Errand, inQueue } from "./errand.ts";
import { mismatch } from "./follow_ups.ts";

const MAX_RUNNING = 2;
const RATE = { limit: 5, periodMs: 500 };

export function limits(): Errand {
  const crowds: string[] = [];
  const pairs: string[] = [];
  let most = 0;
  let acknowledged = 0;
  return {
    name: "limits",
    async begin(patient) {
      await patient.patch("/queues/narrow", { max_running: MAX_RUNNING });
      await patient.patch("/queues/shared", { key_max_running: 1 });
      const rate = { limit: RATE.limit, period: `${RATE.periodMs}ms` };
      await patient.patch("/queues/rated", { rate });
    },
    async go(patient, number) {
      const job = { kind: "count", payload: "x" };
      // Long enough to be seen.
      const command = "sleep 0.1";
      const narrow = Array.from({ length: MAX_RUNNING }, () => ({ command, queue: "narrow" }));
      const pair = { command, queue: "shared", key: `key-${number % 2}` };
      const burst = number % 5 === 0 ? RATE.limit + 2 : 0;
      const rated = Array.from({ length: burst }, () => ({ ...job, queue: "rated" }));
      const batch = [...narrow, pair, pair, ...rated];
      await patient.post("/jobs/batch", batch);
      acknowledged += batch.length;
    },
    look(live) {
      const running = (queue: string) => inQueue(live, queue).filter((job) => isLeased(job.state));
      const crowd = running("narrow").length;
      most = Math.max(most, crowd);
      if (crowd > MAX_RUNNING) crowds.push(`${crowd} at once`);
      const keys = running("shared").map(({ key }) => key);
      if (new Set(keys).size < keys.length) pairs.push(keys.join(" "));
    },
    async audit({ jobs, store }) {
      const rated = inQueue(jobs, "rated");
      const attempts = await Promise.all(rated.map(({ seq }) => store.attempts(seq)));
      const starts = [
        ...rated.map(({ startedAtMs }) => startedAtMs!),
        ...attempts.flat().map(({ startedAtMs }) => startedAtMs!),
      ].sort((one, other) => one - other);
      const rushes = starts.slice(RATE.limit)
        .map((startMs, index) => startMs - starts[index]!)
        .filter((ms) => ms < RATE.periodMs)
        .map((ms) => `${RATE.limit + 1} in ${ms} ms`);
      const mine = ["narrow", "shared", "rated"].flatMap((queue) => inQueue(jobs, queue));
      return [
        { what: "limits: jobs of limited queues", found: mine.length, wanted: { atLeast: 1 } },
        none("limits: jobs that were doubled or lost", mismatch(mine, acknowledged)),
        { what: "limits: most that were seen running at once", found: most },
        none("limits: moments with more running than max-running", crowds),
        none("limits: moments with two running of one key", pairs),
        none("limits: stretches with more starts than the rate", rushes),
      ];
    },
  };
}
