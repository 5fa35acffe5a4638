/** What is asked and answered about keys that take turns. */

/** A key, with the kinds of its due jobs. Null: the jobs that have no key, together. */
export interface DueKey {
  readonly key: string | null;
  readonly kinds: readonly string[];
}

/** Where to look for due jobs. */
export interface KeyedLevel {
  readonly queue: string;
  readonly priority: number;
  /** The kinds that are wanted of jobs with a key. */
  readonly kinds: readonly string[];
  readonly nowMs: number;
}

/** Steps from key to key that a claim may still take. */
export interface Steps {
  left: number;
}
