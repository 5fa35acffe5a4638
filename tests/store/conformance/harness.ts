/**
 * What the promises of the store are proved with: short ways to claim, fail and look. Owns no
 * promise itself; knows no backend.
 */
import assert from "node:assert/strict";
import type { Job, Lease, LeasedJob } from "../../../src/job/job.ts";
import type { Outcome } from "../../../src/job/outcome.ts";
import { STATES } from "../../../src/job/state.ts";
import type {
  Claim,
  ClaimRequest,
  EndedAttempt,
  JobStore,
  ReapRequest,
  Settled,
  StateCounts,
} from "../../../src/store/store.ts";
import { T0 } from "../../helpers/jobs.ts";

/** An empty store that nobody else uses. */
export interface FreshStore extends AsyncDisposable {
  readonly store: JobStore;
  /** The same data through a connection of its own, as another process has it. */
  openAgain(): Promise<JobStore>;
}

export type OpenFresh = () => Promise<FreshStore>;

/** A backend under test. */
export interface Suite {
  /**
   * Proves one promise on an empty store. Afterwards the kept counts must still be right, unless the
   * test has closed the store.
   */
  test(
    promise: string,
    prove: (store: JobStore, fresh: FreshStore) => Promise<void>,
    options?: { readonly isClosed?: boolean },
  ): void;
}

export const HOLDER = "process-a";
export const LEASE_MS = 30_000;
export const BACKOFF = { base: 2, capMs: 3_600_000 };

export const EXIT_ERROR = { code: "exit", message: "exit code 1" } as const;

/** Claims with as many free workers as asked for (1 by default), at {@link T0}. */
export function claim(
  store: JobStore,
  { free = 1, ...overrides }: Partial<ClaimRequest> & { free?: number } = {},
): Promise<Claim> {
  const nowMs = overrides.nowMs ?? T0;
  return store.claim(() => ({
    holder: HOLDER,
    nowMs,
    leaseExpiresAtMs: nowMs + LEASE_MS,
    slots: Array.from({ length: free }, (_, index) => `w-${index + 1}`),
    chunk: {},
    chunkBytes: 1_048_576,
    ...overrides,
  }));
}

/** The jobs of a claim, slot after slot. */
export async function claimJobs(
  store: JobStore,
  options: Parameters<typeof claim>[1] = {},
): Promise<LeasedJob[]> {
  return (await claim(store, options)).slots.flatMap(({ jobs }) => jobs);
}

/** Claims exactly one job. */
export async function claimOne(
  store: JobStore,
  options: Parameters<typeof claim>[1] = {},
): Promise<LeasedJob> {
  const jobs = await claimJobs(store, options);
  assert.equal(jobs.length, 1, `expected to claim one job, got ${jobs.length}`);
  return jobs[0]!;
}

export async function idsClaimed(
  store: JobStore,
  options: Parameters<typeof claim>[1] = {},
): Promise<string[]> {
  return (await claimJobs(store, options)).map((job) => job.id);
}

/** Ends one attempt. */
export async function settleOne(
  store: JobStore,
  lease: Lease,
  outcome: Outcome,
  { holder = HOLDER, nowMs = T0, output }: {
    holder?: string;
    nowMs?: number;
    output?: EndedAttempt["output"];
  } = {},
): Promise<Settled> {
  const { seq, token } = lease;
  const { answers } = await store.settle([{ seq, token, outcome, output }], holder, nowMs);
  assert.equal(answers.length, 1);
  return answers[0]!;
}

/** Brings a job that is due to its death by one last failure. */
export async function buryOne(store: JobStore, nowMs = T0): Promise<LeasedJob> {
  const job = await claimOne(store, { nowMs });
  const answer = await settleOne(store, job, { event: "bury", error: EXIT_ERROR }, { nowMs });
  assert.equal(answer, "settled");
  return job;
}

export function reap(store: JobStore, overrides: Partial<ReapRequest> = {}) {
  return store.reap({
    nowMs: T0 + LEASE_MS,
    leaseMs: LEASE_MS,
    backoff: BACKOFF,
    deadHolders: [],
    limit: 1_000,
    ...overrides,
  });
}

export async function find(store: JobStore, id: string): Promise<Job> {
  const job = await store.find(id);
  assert.ok(job, `there is no job ${id}`);
  return job;
}

/** Every job, page by page, newest first. */
export async function listAll(store: JobStore): Promise<Job[]> {
  const jobs: Job[] = [];
  let beforeSeq: number | undefined;
  while (true) {
    const page = await store.list({ limit: 100, beforeSeq });
    jobs.push(...page.jobs);
    if (page.nextSeq === null) return jobs;
    beforeSeq = page.nextSeq;
  }
}

/** Everything that can be seen of the jobs. */
export async function snapshot(store: JobStore) {
  const jobs = await listAll(store);
  const rest = await Promise.all(jobs.map(async (job) => ({
    job,
    payload: await store.payload(job.seq),
    attempts: await store.attempts(job.seq),
    output: await Promise.all(
      Array.from({ length: job.token + 1 }, (_, token) => store.output({ seq: job.seq, token })),
    ),
  })));
  return { jobs: rest, counts: (await store.stats(T0)).counts };
}

export function emptyCounts(): StateCounts {
  return Object.fromEntries(STATES.map((state) => [state, 0])) as StateCounts;
}

/** The kept counts must equal a recount of all jobs, in total and for each queue. */
export async function assertCountsAreRight(store: JobStore): Promise<void> {
  const { counts, queues } = await store.stats(T0);
  const total = emptyCounts();
  const byQueue = new Map<string, StateCounts>();
  for (const { queue, state } of await listAll(store)) {
    if (!byQueue.has(queue)) byQueue.set(queue, emptyCounts());
    byQueue.get(queue)![state]++;
    total[state]++;
  }
  assert.deepEqual(counts, total, "the kept counts differ from a recount of list()");
  const kept = queues.filter((one) => STATES.some((state) => one.counts[state] !== 0));
  assert.deepEqual(
    new Map(kept.map((one) => [one.queue, one.counts])),
    byQueue,
    "the kept counts of the queues differ from a recount of list()",
  );
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
