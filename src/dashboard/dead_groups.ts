/**
 * The dead jobs, together with those that died of the same. Owns what counts as the same: the kind
 * and the error without what differs from job to job.
 *
 * Invariant: showing the groups looks at a bounded number of jobs, however many are dead; only what
 * somebody does to a whole group goes through all of them, in steps that let others in between.
 */
import type { Job } from "../job/job.ts";
import { type AttemptErrorCode, ERROR_CODES } from "../job/job.ts";
import type { Queue } from "../queue/queue.ts";
import { errorGroup } from "./about.ts";

export interface DeadGroup {
  /** Names the group in forms. */
  readonly key: string;
  readonly kind: string;
  /** Stable word for the reason. */
  readonly code: AttemptErrorCode | "unknown";
  readonly error: string;
  readonly jobs: number;
  readonly queues: readonly string[];
  /** The newest of them. */
  readonly newest: Job;
  readonly lastAtMs: number;
}

/** How many of the newest dead jobs are looked at to show the groups. */
const MOST_LOOKED_AT = 1_000;

const STEP_JOBS = 500;

/** The groups among the newest dead jobs, the largest first. */
export async function deadGroups(
  queue: Queue,
): Promise<{ groups: DeadGroup[]; lookedAt: number; isAll: boolean }> {
  const groups = new Map<string, { jobs: Job[]; lastAtMs: number; queues: Set<string> }>();
  const { jobs, nextSeq } = await queue.list({ states: ["dead"], limit: MOST_LOOKED_AT });
  for (const job of jobs) {
    const key = groupKey(job);
    let group = groups.get(key);
    if (group === undefined) {
      groups.set(key, group = { jobs: [], lastAtMs: 0, queues: new Set() });
    }
    group.jobs.push(job);
    group.queues.add(job.queue);
    group.lastAtMs = Math.max(group.lastAtMs, job.finishedAtMs ?? 0);
  }
  const all = [...groups].map(([key, { jobs, lastAtMs, queues }]): DeadGroup => {
    const newest = jobs[0]!;
    return {
      key,
      kind: newest.kind,
      code: newest.lastError?.code ?? "unknown",
      error: errorGroup(newest.lastError?.message ?? "unknown"),
      jobs: jobs.length,
      queues: [...queues].sort(),
      newest,
      lastAtMs,
    };
  });
  all.sort((one, other) => other.jobs - one.jobs || other.lastAtMs - one.lastAtMs);
  return { groups: all, lookedAt: jobs.length, isAll: nextSeq === null };
}

/** Every dead job of the group, in pages; all dead jobs when the key is empty. */
export async function* jobsOfGroup(queue: Queue, key: string): AsyncGenerator<Job[]> {
  let beforeSeq: number | undefined;
  while (true) {
    const page = await queue.list({ states: ["dead"], limit: STEP_JOBS, beforeSeq });
    const found = page.jobs.filter((job) => key === "" || groupKey(job) === key);
    if (found.length > 0) yield found;
    if (page.nextSeq === null) return;
    beforeSeq = page.nextSeq;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** On one line, because forms change the ends of lines. */
function groupKey({ kind, lastError }: Job): string {
  return `${kind}|${lastError?.code ?? "unknown"}|${errorGroup(lastError?.message ?? "unknown")}`;
}

/** The code and the error of a group. */
export function partsOf(key: string): { code: string; error: string } {
  const [, code = "", ...error] = key.split("|");
  return { code, error: error.join("|") };
}

/** What the reason means, in a few words. */
export function meaningOf(code: DeadGroup["code"]): string {
  return code === "unknown" ? "" : ERROR_CODES[code] ?? "";
}
