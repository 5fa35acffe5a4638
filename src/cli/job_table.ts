/** Jobs in a table, for `list` and `dlq list`. */
import { type Job, LIMITS, type Payload } from "../job/job.ts";
import { commandText } from "../job/command_text.ts";
import type { JobState } from "../job/state.ts";
import { publicUrl } from "../lib/outbound/url.ts";
import type { Queue } from "../queue/queue.ts";
import { isHeldBack, statusOf } from "../queue/views.ts";
import type { Invocation } from "./command.ts";
import { type Column, oneLine, type Output } from "./output.ts";

/** The most jobs that one command prints. */
const MOST_JOBS = 1_000_000;

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "STATE" },
  { title: "QUEUE" },
  { title: "KIND" },
  { title: "PRIORITY", align: "right" },
  { title: "ATTEMPTS", align: "right" },
  { title: "CREATED" },
  { title: "RUN AT" },
  { title: "ABOUT" },
];

/** Which jobs to print; no states: all. */
export interface JobFilter {
  readonly states: readonly JobState[] | undefined;
  readonly queue: string | undefined;
  readonly kind: string | undefined;
  readonly search: string | undefined;
  readonly limit: number;
}

/** The jobs in these states that the options ask for. @throws {UsageError} */
export function readFilter(
  { options }: Invocation,
  states: readonly JobState[] | undefined,
): JobFilter {
  return {
    states,
    queue: options.text("queue"),
    kind: options.text("kind"),
    search: options.text("search"),
    limit: options.integer("limit", { least: 1, most: MOST_JOBS }) ?? LIMITS.listPageDefault,
  };
}

/** Prints the jobs, newest first. */
export async function printJobs(
  { out }: Invocation,
  queue: Queue,
  { limit, ...query }: JobFilter,
): Promise<void> {
  const { jobs, hasMore } = await collect(queue, query, limit);
  if (out.isJson) {
    const views = jobs.map(async (job) => ({ id: job.id, ...await statusOf(job, queue) }));
    out.json(await Promise.all(views));
  } else if (jobs.length === 0) {
    out.note(
      describeNothing(query.states, (query.queue ?? query.kind ?? query.search) !== undefined),
    );
  } else {
    out.table(COLUMNS, await rows(jobs, queue, out));
  }
  if (hasMore) out.note(`Only the newest ${limit} are shown; --limit N shows more.`);
}

async function collect(
  queue: Queue,
  query: Omit<JobFilter, "limit">,
  limit: number,
): Promise<{ jobs: Job[]; hasMore: boolean }> {
  const jobs: Job[] = [];
  let beforeSeq: number | undefined;
  while (true) {
    const pageLimit = Math.min(LIMITS.listPage, limit - jobs.length);
    const page = await queue.list({ ...query, limit: pageLimit, beforeSeq });
    jobs.push(...page.jobs);
    if (page.nextSeq === null || jobs.length >= limit) {
      return { jobs, hasMore: page.nextSeq !== null };
    }
    beforeSeq = page.nextSeq;
  }
}

async function rows(jobs: readonly Job[], queue: Queue, out: Output): Promise<string[][]> {
  const heads = jobs.map((job) => [
    job.id,
    job.state,
    job.queue,
    job.kind,
    String(job.priority),
    `${job.attempts}/${job.maxRetries + 1}`,
    out.time(job.createdAtMs),
    runAt(job, out),
  ]);
  const widths = heads[0]!.map((_, column) =>
    Math.max(COLUMNS[column]!.title.length, ...heads.map((head) => head[column]!.length))
  );
  const room = out.room(widths.reduce((sum, width) => sum + width + 2, 0));
  return await Promise.all(heads.map(async (head, index) => {
    const job = jobs[index]!;
    const about = oneLine(await describeJob(job, queue), room);
    return [head[0]!, out.state(job.state), ...head.slice(2), about];
  }));
}

function runAt(job: Job, out: Output): string {
  if (isHeldBack(job)) return "after others";
  return job.state === "pending" || job.state === "failed" ? out.time(job.runAtMs) : "-";
}

/** Why it failed, what it waits for, or else what it runs. */
async function describeJob(job: Job, queue: Queue): Promise<string> {
  if (isHeldBack(job)) return `waits for ${(await queue.waitingFor(job)).join(", ")}`;
  return job.lastError?.message ?? await workOf(job, queue);
}

/** What it runs, where its kind says so. */
export async function workOf(job: Job, queue: Queue): Promise<string> {
  if (job.kind === "http") return requestText(await queue.payload(job));
  if (job.kind !== "command") return "";
  return commandText(await queue.payload(job)) ?? "";
}

/** `POST https://shop.example/hook`, without what may be secret. */
function requestText(payload: Payload): string {
  const { method, url } = JSON.parse(payload as string) as { method: string; url: string };
  return `${method} ${publicUrl(url)}`;
}

function describeNothing(states: readonly JobState[] | undefined, isNarrowed: boolean): string {
  const what = states === undefined ? "" : `${states.join(" or ")} `;
  const more = states === undefined || states.includes("dead")
    ? ""
    : "; --state all shows every job";
  return `No ${what}jobs${isNarrowed ? " like that" : ""}${more}.`;
}
