/** What is unusual about a job, one bit each, in `jobs.traits`. Plain jobs have none of them. */
export const TRAITS = {
  /** Has a row in `unique_keys` while it is not finished. */
  UNIQUE: 1,
  /** Other jobs wait for it. */
  AWAITED: 2,
  /** Waits, or has waited, for other jobs. */
  WAITS: 4,
  /** Its outcome is posted to a URL. */
  CALLBACK: 8,
  /** Has files: an input, or artifacts. */
  FILES: 16,
  /** Was added by a schedule. */
  SCHEDULED: 32,
} as const;

/** With any of these, the end of a job means something to others: see `ends.ts`. */
export const MATTERS_AT_END = TRAITS.UNIQUE | TRAITS.AWAITED | TRAITS.CALLBACK;
