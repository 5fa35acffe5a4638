/**
 * One change to many jobs: those that are named, or all that a search finds. Knows what first to look
 * at: a dry run says how many there are. Steps are small, so that others are not held up.
 */
import type { RateLimit } from "../job/rate.ts";
import { pause } from "../lib/pause.ts";
import { isAllowed, isLeased, type JobState } from "../job/state.ts";
import { parseSearch } from "../job/search.ts";
import type { Change } from "../store/store.ts";
import type { Queue } from "./queue.ts";

export const BULK_ACTIONS = ["cancel", "requeue", "delete"] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];

export interface BulkRequest {
  readonly action: BulkAction;
  /** Those with these ids, or all that the search finds. */
  readonly jobs: { readonly ids: readonly string[] } | { readonly search: string };
  /** Requeued jobs fall due so many in a time, instead of all at once. */
  readonly pace: RateLimit | null;
  readonly isDryRun: boolean;
  /** Who asks. */
  readonly by?: string;
}

export interface BulkResult {
  /** Jobs that are named or found. */
  readonly matched: number;
  /** Of them: those whose state allows the change. */
  readonly allowed: number;
  /** Changed, or asked to stop; 0 in a dry run. */
  readonly changed: number;
  /** True: there are more than one call changes; call again. */
  readonly hasMore: boolean;
}

/** A call changes so many at most. */
const MOST_BULK_JOBS = 100_000;

/** So many changes share a commit. */
const STEP = 500;
const PAGE = 1_000;

/** @throws {InvalidInputError} when the search cannot be read. */
export async function changeMany(queue: Queue, request: BulkRequest): Promise<BulkResult> {
  const found = "ids" in request.jobs
    ? await named(queue, request.jobs.ids)
    : await searched(queue, request.jobs.search);
  const allowed = found.jobs.filter(({ state }) => isPossible(request.action, state));
  let changed = 0;
  if (!request.isDryRun) {
    for (let start = 0; start < allowed.length; start += STEP) {
      const step = allowed.slice(start, start + STEP);
      const changes = await Promise.all(
        step.map(({ id }, index) => change(queue, id, { ...request, place: start + index })),
      );
      changed += changes.filter(({ result }) => result === "changed" || result === "requested")
        .length;
      tell(queue, request.action, changes);
      await pause(0); // others first
    }
  }
  const { jobs, hasMore } = found;
  return { matched: jobs.length, allowed: allowed.length, changed, hasMore };
}

interface Found {
  readonly jobs: readonly { readonly id: string; readonly state: JobState }[];
  readonly hasMore: boolean;
}

async function named(queue: Queue, ids: readonly string[]): Promise<Found> {
  const jobs = await Promise.all([...new Set(ids)].map((id) => queue.store.find(id)));
  return { jobs: jobs.filter((job) => job !== null), hasMore: false };
}

async function searched(queue: Queue, text: string): Promise<Found> {
  const terms = parseSearch(text);
  const jobs: { id: string; state: JobState }[] = [];
  let beforeSeq: number | undefined;
  while (true) {
    const limit = Math.min(PAGE, MOST_BULK_JOBS - jobs.length);
    const page = await queue.store.search({ terms, limit, beforeSeq });
    for (const { id, state } of page.jobs) jobs.push({ id, state });
    if (page.nextSeq === null) return { jobs, hasMore: false };
    if (jobs.length >= MOST_BULK_JOBS) return { jobs, hasMore: true };
    beforeSeq = page.nextSeq;
    await pause(0); // others first
  }
}

function isPossible(action: BulkAction, state: JobState): boolean {
  switch (action) {
    case "cancel":
      return isAllowed("cancel", state) || isAllowed("abort", state);
    case "requeue":
      return isAllowed("requeue", state);
    case "delete":
      return !isLeased(state);
  }
}

function change(
  queue: Queue,
  id: string,
  { action, pace, by, place }: BulkRequest & { place: number },
): Promise<Change> {
  const { store } = queue;
  const nowMs = queue.clock();
  const signed = queue.sign(by);
  switch (action) {
    case "cancel":
      return store.cancel(id, nowMs, signed);
    case "delete":
      return store.remove(id, nowMs, signed);
    case "requeue": {
      const delayMs = pace === null ? 0 : Math.floor(place / pace.limit) * pace.periodMs;
      return store.requeue(id, nowMs, signed, { dueAtMs: nowMs + delayMs });
    }
  }
}

/** Whoever runs jobs in this process is told. */
function tell({ events }: Queue, action: BulkAction, changes: readonly Change[]): void {
  if (action === "requeue") events.emit({ type: "work.expected" });
  for (const change of changes) {
    if (change.result === "requested") {
      events.emit({ type: "cancel.requested", jobId: change.job.id });
    }
  }
}
