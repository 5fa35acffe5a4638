/** Shapes that the operations of every backend pass to each other. */
import type { JobPage } from "../store.ts";
import type { CountedState } from "./counted.ts";

/** When a write is to be done. */
export interface WriteOrder {
  /** After the others of its commit, to see what they have written. */
  readonly isLast?: boolean;
  /** With the next commit that somebody else wants, or a little later. */
  readonly isLazy?: boolean;
}

/** One slice of a search. */
export interface SearchSlice {
  readonly page: JobPage;
  /** Where the next slice begins; null: this was the last. */
  readonly nextSeq: number | null;
}

export interface RemovedJob {
  readonly seq: number;
  readonly queue: string;
  readonly state: CountedState;
  /** See `traits.ts`; 0 for plain jobs. */
  readonly traits: number;
}
