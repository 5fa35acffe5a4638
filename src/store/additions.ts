/** What is asked of the store with jobs that are to be added, and what became of them. */
import type { NewJob } from "../job/job.ts";
import type { JobState } from "../job/state.ts";

export interface AddOptions {
  readonly mostWaiting: number | null;
  /** For those who repeat a request when they have not got its answer. */
  readonly request?: RequestKey | null;
}

/** What a caller calls a request of theirs. */
export interface RequestKey {
  readonly caller: string;
  readonly key: string;
  /** A hash of what makes this request different from others. */
  readonly fingerprint: Uint8Array;
}

/** A job that was added, or the one that stands for it. */
export interface AddedJob {
  readonly id: string;
  readonly state: JobState;
  /** False: a live job with the same unique key was there already, and this is that one. */
  readonly isNew: boolean;
}

/** What became of jobs that were to be added. */
export interface Addition {
  readonly duplicates: readonly string[];
  /** Ids of jobs that were to be waited for and do not exist; then nothing is inserted. */
  readonly missing?: readonly string[];
  /** Live jobs whose unique keys are wanted by jobs that may not have them; likewise. */
  readonly taken?: readonly LiveJob[];
  /** By position: live jobs with the same unique key, which stand for the ones not inserted. */
  readonly existing?: ReadonlyMap<number, LiveJob>;
  /** By position: jobs that were cancelled at once, since a job to wait for has ended otherwise. */
  readonly cancelled?: ReadonlySet<number>;
  /** The same request came before, and then this became of its jobs. */
  readonly replay?: readonly AddedJob[];
  /** A request with this key came before, which was another one. */
  readonly isRequestDifferent?: boolean;
  /** So many jobs wait that these would be too many; missing: the limit was not in the way. */
  readonly waiting?: number;
}

/** Whether nothing was inserted, because something spoke against it. */
export function isRefused(addition: Addition): boolean {
  const { duplicates, missing = [], taken = [], waiting, isRequestDifferent } = addition;
  return duplicates.length + missing.length + taken.length > 0 || waiting !== undefined ||
    isRequestDifferent === true;
}

/** What became of each job of a call that was not refused. */
export function whatBecame(
  jobs: readonly NewJob[],
  { existing, cancelled, replay }: Addition,
): readonly AddedJob[] {
  if (replay !== undefined) return replay;
  return jobs.map(({ id }, index) => {
    const live = existing?.get(index);
    if (live !== undefined) return { id: live.id, state: live.state, isNew: false };
    return { id, state: cancelled?.has(index) ? "cancelled" : "pending", isNew: true };
  });
}

/** The job that has a unique key now. */
export interface LiveJob {
  readonly id: string;
  readonly state: JobState;
  readonly key: string;
}
