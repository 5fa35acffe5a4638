/** The part of the store's seam that lets go of what is old, in steps that hold up nobody for long. */
import type { FinishedState } from "../job/retention.ts";

export interface PruneStore {
  /**
   * Deletes finished jobs with all that is known of them, or only counts them. Jobs that others still
   * refer to stay: those that an unfinished job waits or has waited for, and those whose outcome has
   * not been delivered.
   */
  prune(step: PruneStep): Promise<PruneProgress>;

  /**
   * Whether it is this process's turn to prune: it is somebody's once in every such period, whoever
   * asks first.
   */
  takePruneTurn(nowMs: number, everyMs: number): Promise<boolean>;

  /** What the store takes, and how much of it is unused. */
  size(): Promise<StoreSize>;
  /** Gives unused space back, at most so many bytes of it; returns what is left. */
  shrink(bytes: number): Promise<StoreSize>;
  /** Makes what was given back available to others, as far as nobody else reads it. */
  settleSize(): Promise<void>;
}

export interface PruneStep {
  readonly state: FinishedState;
  /** Only jobs that ended before; infinite: however recently. */
  readonly endedBeforeMs: number;
  /** At most so many are deleted. */
  readonly most: number;
  /** Where the step before ended; 0 for the first. */
  readonly afterSeq: number;
  /** At most so many are looked at. */
  readonly limit: number;
  readonly nowMs: number;
  /** Count, but delete nothing. */
  readonly isDry: boolean;
}

export interface PruneProgress {
  /** Deleted, or counted. */
  readonly jobs: number;
  /** Where to go on; null: nothing that follows is old enough. */
  readonly nextSeq: number | null;
  /** What it cost the store, without what it waited for: its turn, the disk. */
  readonly workMs: number;
}

export interface StoreSize {
  readonly bytes: number;
  readonly unusedBytes: number;
}
