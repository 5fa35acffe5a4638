/**
 * Holds a database against the books of the clients: is every promised job there, did it come to
 * what it must, is anything there twice. Reads through the store's own seam.
 */
import type { Job } from "../../src/job/job.ts";
import { isFinished } from "../../src/job/state.ts";
import { openStore } from "../../src/store/open.ts";
import type { JobStore } from "../../src/store/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { type Figure, none } from "./experiment.ts";
import type { Promised } from "./submitter.ts";

/** The database as one more process sees it. Nothing is written through it. */
export function look(db: string): Promise<JobStore> {
  return openStore({ db, driver: "builtin", clock: Date.now, synchronous: () => "normal" });
}

/** Every job that there is. */
export async function allJobs(store: JobStore): Promise<Job[]> {
  const jobs: Job[] = [];
  let beforeSeq: number | undefined;
  do {
    const page = await store.list({ limit: 1_000, beforeSeq });
    jobs.push(...page.jobs);
    beforeSeq = page.nextSeq ?? undefined;
  } while (beforeSeq !== undefined);
  return jobs;
}

/** Waits until no job waits or runs any more. */
export async function allFinished(store: JobStore, timeoutMs: number): Promise<void> {
  let left = 0;
  await eventually(async () => {
    const { counts } = await store.stats(Date.now());
    left = counts.pending + counts.failed + counts.started + counts.processing;
    return left === 0;
  }, { what: "every job was finished", timeoutMs, everyMs: 100 }).catch((error) => {
    throw new Error(`${error.message}; ${left} jobs were left`);
  });
}

/** What became of the promises, once every job is finished. */
export async function audit(
  store: JobStore,
  promised: ReadonlyMap<string, Promised>,
): Promise<Figure[]> {
  const jobs = new Map((await allJobs(store)).map((job) => [job.id, job]));
  const lost: string[] = [];
  const wrong: string[] = [];
  for (const [id, { characters }] of promised) {
    const job = jobs.get(id);
    if (job === undefined) lost.push(id);
    else if (!isFinished(job.state)) lost.push(`${id} is ${job.state}`);
    else if (job.state !== "completed") wrong.push(`${id} is ${job.state}`);
    else if (characters !== null && job.result !== `{"characters":${characters}}`) {
      wrong.push(`${id}: ${job.result} instead of ${characters} characters`);
    }
  }
  const { counts } = await store.stats(Date.now());
  const counted = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    { what: "jobs acknowledged", found: promised.size, wanted: { atLeast: 1 } },
    none("acknowledged jobs lost", lost),
    none("acknowledged jobs with another end than success", wrong),
    none("counts that differ from the jobs", counted === jobs.size ? [] : [`${counted}`]),
  ];
}
