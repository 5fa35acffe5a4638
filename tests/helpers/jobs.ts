/**
 * Jobs for tests that care about one or two fields only. Owns the defaults; invariant: two jobs made
 * here never share an id unless the test asks for it.
 */
import { type JobExtras, type NewJob, NO_EXTRAS } from "../../src/job/job.ts";

/** The moment at which tests with a clock of their own begin: 2025-06-15T15:06:40Z. */
export const T0 = 1_750_000_000_000;

let made = 0;

/** A job of kind `count` in the queue `default` that is due at {@link T0}. */
export function newJob(overrides: Partial<NewJob> = {}): NewJob {
  made++;
  return {
    id: `job-${made}`,
    isIdFresh: overrides.id === undefined,
    queue: "default",
    kind: "count",
    payload: "null",
    priority: 0,
    runAtMs: T0,
    maxRetries: 3,
    timeoutMs: null,
    extras: null,
    ...overrides,
  };
}

/** As many jobs as asked for, alike but for their ids. */
export function newJobs(count: number, overrides: Partial<NewJob> = {}): NewJob[] {
  return Array.from({ length: count }, () => newJob(overrides));
}

/** What a job has whose only special thing is its key. */
export function withKey(key: string): Pick<NewJob, "extras"> {
  return {
    extras: { ...NO_EXTRAS, key },
  };
}

/** What few jobs have. */
export function newExtras(overrides: Partial<JobExtras> = {}): JobExtras {
  return { ...NO_EXTRAS, ...overrides };
}
