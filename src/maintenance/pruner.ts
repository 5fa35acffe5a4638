/**
 * Lets go of finished jobs that are older, or more, than is wished, and of the space that they took.
 * Works in short steps with pauses between them, so that claims and submits hardly notice.
 */
import { pause } from "../lib/pause.ts";
import {
  type FinishedState,
  goalsByAge,
  goalsByCount,
  type PruneGoal,
  type Retention,
} from "../job/retention.ts";
import { FINISHED_STATES } from "../job/state.ts";
import type { Queue } from "../queue/queue.ts";
import type { JobStore } from "../store/store.ts";
import { type Duty, PeriodicDuty } from "./duty.ts";

export interface PrunerOptions {
  readonly queue: Queue;
  readonly retention: Retention;
  readonly onError: (error: unknown) => void;
}

/** How often a process looks whether it is its turn, and how often it is somebody's. */
const LOOK_MS = 5_000;
const TURN_MS = 60_000;

/** What a step may cost: dearer ones look at fewer jobs the next time, cheaper ones at more. */
const STEP_MS = 8;
const STEP_JOBS = { first: 50, least: 25, most: 1_000 } as const;

/** Space given back in one transaction. */
const STEP_BYTES = 1024 * 1024;

/**
 * After a step there is a pause so many times as long as what it cost, so that others have most of the
 * time. A turn that goes on for longer than usual is behind: as many jobs end as it lets go of.
 */
const PAUSE_FACTOR = { usual: 4, behind: 1 } as const;
const LEAST_PAUSE_MS = 5;
const USUAL_TURN_MS = 30_000;

/** A file with so much unused space, both ways, is made smaller; then so much is left for new jobs. */
const UNUSED = { leastBytes: 4 * 1024 * 1024, leastShare: 0.25, leftShare: 0.1 } as const;

/** Numbers of jobs by state. */
export type Pruned = Record<FinishedState, number>;

export class Pruner implements Duty {
  readonly #queue: Queue;
  readonly #retention: Retention;
  readonly #duty: Duty;
  #stopping = new AbortController();

  constructor({ queue, retention, onError }: PrunerOptions) {
    this.#queue = queue;
    this.#retention = retention;
    this.#duty = new PeriodicDuty(() => this.#work(), { everyMs: LOOK_MS, onError });
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#duty.start();
  }

  /** Prunes now, if it is this process's turn. Errors go to `onError`. */
  runOnce(): Promise<void> {
    return this.#duty.runOnce();
  }

  /** Resolves soon: a step that is under way is the last. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#duty.stop();
  }

  async #work(): Promise<void> {
    const { store, clock, events } = this.#queue;
    const { signal } = this.#stopping;
    if (!await store.takePruneTurn(clock(), TURN_MS)) return;
    const pruned = await prune(store, this.#retention, { nowMs: clock(), signal });
    if (total(pruned) > 0) events.emit({ type: "jobs.pruned", jobs: pruned });
    if (isShrinkable(await store.size())) {
      await shrink(store, { leftShare: UNUSED.leftShare, signal });
    }
  }
}

export interface PruneOptions {
  readonly nowMs: number;
  /** Count, but delete nothing. */
  readonly isDry?: boolean;
  readonly signal?: AbortSignal;
}

/** Prunes by age, then by number; returns how many jobs have gone, or would go. */
export async function prune(
  store: JobStore,
  retention: Retention,
  options: PruneOptions,
): Promise<Pruned> {
  const pruned = await pruneGoals(store, goalsByAge(retention, options.nowMs), options);
  if (retention.keepJobs === null) return pruned;
  const { counts } = await store.stats(options.nowMs);
  const left = (state: FinishedState) => counts[state] - (options.isDry ? pruned[state] : 0);
  const goals = goalsByCount(retention, {
    completed: left("completed"),
    dead: left("dead"),
    cancelled: left("cancelled"),
  });
  if (options.isDry) {
    // What is too old would have made room already: the next ones in line are counted, not found.
    for (const { state, most } of goals) pruned[state] += most;
    return pruned;
  }
  const more = await pruneGoals(store, goals, options);
  for (const state of FINISHED_STATES) pruned[state] += more[state];
  return pruned;
}

async function pruneGoals(
  store: JobStore,
  goals: readonly PruneGoal[],
  { nowMs, isDry = false, signal }: PruneOptions,
): Promise<Pruned> {
  const pruned: Pruned = { completed: 0, dead: 0, cancelled: 0 };
  const startedMs = performance.now();
  let limit: number = STEP_JOBS.first;
  for (const { state, endedBeforeMs, most } of goals) {
    let left = most;
    let afterSeq: number | null = 0;
    while (afterSeq !== null && left > 0 && !signal?.aborted) {
      const from: number = afterSeq;
      const step = { state, endedBeforeMs, most: left, afterSeq: from, limit, nowMs, isDry };
      const { jobs, nextSeq, workMs } = await store.prune(step);
      limit = workMs > STEP_MS
        ? Math.max(STEP_JOBS.least, Math.floor(limit / 2))
        : Math.min(STEP_JOBS.most, limit + STEP_JOBS.least);
      pruned[state] += jobs;
      left -= jobs;
      afterSeq = nextSeq;
      // Reading disturbs nobody, but the thread is others' too.
      await (isDry ? pause(0) : rest(workMs, startedMs));
    }
  }
  return pruned;
}

/** Gives unused space back until no more than this share of the file is unused. */
export async function shrink(
  store: JobStore,
  { leftShare, signal }: { leftShare: number; signal?: AbortSignal },
): Promise<void> {
  const startedMs = performance.now();
  let { bytes, unusedBytes } = await store.size();
  while (unusedBytes > bytes * leftShare && !signal?.aborted) {
    const before = unusedBytes;
    const stepMs = performance.now();
    ({ bytes, unusedBytes } = await store.shrink(STEP_BYTES));
    await rest(performance.now() - stepMs, startedMs);
    if (unusedBytes >= before) break; // a file that was made by hand may be unable to shrink
  }
  await store.settleSize();
}

function isShrinkable({ bytes, unusedBytes }: { bytes: number; unusedBytes: number }): boolean {
  return unusedBytes >= UNUSED.leastBytes && unusedBytes >= bytes * UNUSED.leastShare;
}

/** The pause after a step that cost so much, in a turn that began then. */
async function rest(workMs: number, turnStartedMs: number): Promise<void> {
  const isBehind = performance.now() - turnStartedMs > USUAL_TURN_MS;
  const factor = isBehind ? PAUSE_FACTOR.behind : PAUSE_FACTOR.usual;
  await pause(Math.max(LEAST_PAUSE_MS, workMs * factor));
}

export function total(pruned: Pruned): number {
  return FINISHED_STATES.reduce((sum, state) => sum + pruned[state], 0);
}
