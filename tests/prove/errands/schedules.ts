/** Schedules that make a job each second: no time is run twice, and none is passed over. */
import { type Figure, none } from "../experiment.ts";
import { type Errand, inQueue } from "./errand.ts";

const QUEUE = "ticks";
const SECOND = 1_000;

const SCHEDULES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cron: { cron: "* * * * * *" },
  every: { every: "1s" },
};

export function schedules(): Errand {
  return {
    name: "schedules",
    async begin(patient) {
      const job = { kind: "count", payload: "tick", queue: QUEUE };
      for (const [name, timing] of Object.entries(SCHEDULES)) {
        await patient.post("/schedules", { name, ...timing, catch_up: "all", replace: true, job });
      }
    },
    go: () => Promise.resolve(),
    async end(patient) {
      for (const name of Object.keys(SCHEDULES)) await patient.post(`/schedules/${name}/pause`);
    },
    audit({ jobs }) {
      const ticks = inQueue(jobs, QUEUE);
      return Promise.resolve(
        Object.keys(SCHEDULES).flatMap((name): Figure[] => {
          const times = ticks.filter(({ options }) => options!.schedule === name)
            .map(({ options }) => options!.scheduledAtMs!).sort((one, other) => one - other);
          const gaps = times.slice(1).map((time, index) => time - times[index]!);
          const say = (found: number[]) => found.map((gap) => `${gap} ms`);
          return [
            { what: `schedules: times of ${name}`, found: times.length, wanted: { atLeast: 2 } },
            none(`schedules: times of ${name} run twice`, say(gaps.filter((gap) => gap < SECOND))),
            none(`schedules: times of ${name} lost`, say(gaps.filter((gap) => gap > SECOND))),
          ];
        }),
      );
    },
  };
}
