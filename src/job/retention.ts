/**
 * How long finished jobs are kept: pure decisions from the settings, what is stored and what the
 * clock says. Deletes nothing.
 */
import { formatDuration } from "../lib/duration.ts";
import { FINISHED_STATES } from "./state.ts";

export type FinishedState = (typeof FINISHED_STATES)[number];

/** For how long jobs are kept after their end, in milliseconds; infinite: for ever. */
export interface Retention {
  readonly keepMs: Readonly<Record<FinishedState, number>>;
  /** The most finished jobs that are kept; null: any number. */
  readonly keepJobs: number | null;
}

/** Jobs of a state that may go, the oldest first. */
export interface PruneGoal {
  readonly state: FinishedState;
  /** Only those that ended before; infinite: however recently. */
  readonly endedBeforeMs: number;
  /** At most so many of them; infinite: all. */
  readonly most: number;
}

/** What is too old. */
export function goalsByAge({ keepMs }: Pick<Retention, "keepMs">, nowMs: number): PruneGoal[] {
  return FINISHED_STATES.filter((state) => keepMs[state] !== Infinity)
    .map((state) => ({ state, endedBeforeMs: nowMs - keepMs[state], most: Infinity }));
}

/**
 * What is too many, given how many finished jobs there are. Completed jobs go before cancelled ones.
 * Dead ones stay: they wait for somebody to look at them.
 */
export function goalsByCount(
  { keepJobs }: Pick<Retention, "keepJobs">,
  counts: Readonly<Record<FinishedState, number>>,
): PruneGoal[] {
  if (keepJobs === null) return [];
  let surplus = counts.completed + counts.cancelled + counts.dead - keepJobs;
  const goals: PruneGoal[] = [];
  for (const state of ["completed", "cancelled"] as const) {
    const most = Math.min(surplus, counts[state]);
    if (most <= 0) continue;
    goals.push({ state, endedBeforeMs: Infinity, most });
    surplus -= most;
  }
  return goals;
}

/** Without options the settings count; dead jobs go by an age that is given here only if named. */
export function narrowRetention(
  { keepMs, keepJobs }: Retention,
  { olderThanMs, states }: { olderThanMs?: number; states?: readonly FinishedState[] },
): Retention {
  if (olderThanMs === undefined && states === undefined) return { keepMs, keepJobs };
  const named = states ?? ["completed", "cancelled"];
  const ageOf = (state: FinishedState) =>
    named.includes(state) ? olderThanMs ?? keepMs[state] : Infinity;
  return {
    keepMs: {
      completed: ageOf("completed"),
      dead: ageOf("dead"),
      cancelled: ageOf("cancelled"),
    },
    keepJobs: null,
  };
}

/** For the audit log. */
export function describeRetention({ keepMs, keepJobs }: Retention): string {
  const ages = FINISHED_STATES.filter((state) => keepMs[state] !== Infinity)
    .map((state) => `${state} older than ${formatDuration(keepMs[state])}`);
  const most = keepJobs === null ? [] : [`more than ${keepJobs} jobs`];
  return [...ages, ...most].join(", ") || "nothing";
}
