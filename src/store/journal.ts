/**
 * The part of the store's seam that writes down what happens, for those who follow it: the journal.
 * Nothing is written while nobody does.
 */
import type { AttemptError } from "../job/job.ts";
import type { JobState } from "../job/state.ts";

export interface JournalStore {
  /**
   * Says that somebody follows what happens until then, so that it is written down. Returns the id
   * after which nothing is missing.
   */
  follow(untilMs: number): Promise<number>;
  /** What was written down after the batch with this id, oldest first. */
  journal(query: { readonly afterId: number; readonly limit: number }): Promise<JournalPage>;
  /** Calls back after each commit of this process that has written to the journal. */
  watchOwn(onTold: () => void): Disposable;
}

/** What can happen to a job. */
export type JobHappening =
  | "job.added"
  | "job.started"
  | "job.processing"
  | "job.completed"
  | "job.failed"
  | "job.dead"
  | "job.cancelled"
  | "job.released"
  | "job.snoozed"
  | "job.requeued"
  | "job.deleted";

/** An entry of the journal. */
export type JournalEvent =
  | {
    readonly type: JobHappening;
    readonly jobId: string;
    readonly queue: string;
    readonly kind: string;
    /** As it is now; of a deleted job, as it was. */
    readonly state: JobState;
    readonly worker: string | null;
    /** The attempt that it is about, counted from 1; 0 before the first. */
    readonly attempt: number;
    readonly error: AttemptError | null;
  }
  | { readonly type: "queue.changed" | "schedule.changed"; readonly name: string }
  /** Here something is missing: nobody followed. */
  | { readonly type: "gap" };

/** What one commit did. */
export interface JournalBatch {
  /** Rises by one. */
  readonly id: number;
  readonly atMs: number;
  readonly events: readonly JournalEvent[];
}

export interface JournalPage {
  readonly batches: readonly JournalBatch[];
  /** Of those still kept; null: none is. */
  readonly oldestId: number | null;
}
