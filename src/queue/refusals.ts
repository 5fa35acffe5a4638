/** What the store did not do, as errors that say why to people. Pure. */
import {
  ConflictError,
  InvalidInputError,
  JobNotFoundError,
  type Problem,
  QueueFullError,
  ReusedKeyError,
} from "../job/errors.ts";
import type { Job, NewJob } from "../job/job.ts";
import type { Addition, Change, LiveJob } from "../store/store.ts";

/**
 * Nothing, where the jobs were added.
 *
 * @throws {ReusedKeyError} {@link InvalidInputError}, {@link ConflictError}, {@link QueueFullError}.
 */
export function assertAdded(
  addition: Addition,
  jobs: readonly NewJob[],
  { isBatch, mostWaiting }: { readonly isBatch: boolean; readonly mostWaiting: number | null },
): void {
  const { duplicates, missing = [], taken = [], waiting, isRequestDifferent } = addition;
  if (isRequestDifferent) throw new ReusedKeyError();
  if (missing.length > 0) throw unknownIds(missing, jobs, isBatch);
  if (duplicates.length > 0) throw duplicateIds(duplicates);
  if (taken.length > 0) throw takenKeys(taken);
  if (waiting === undefined) return;
  const found = jobs.length === 1
    ? `${waiting} wait`
    : `${waiting} wait, and ${jobs.length} were to be added`;
  throw new QueueFullError(
    `the queue is full: expected at most ${mostWaiting} waiting jobs ` +
      `(max-queue-depth), but ${found}; try again later`,
  );
}

/**
 * The job as it is after a change.
 *
 * @throws {JobNotFoundError} {@link ConflictError} when its state does not allow the change.
 */
export function changedJob(change: Change, id: string, verb: string): Job {
  switch (change.result) {
    case "missing":
      throw new JobNotFoundError(id);
    case "refused": {
      if (change.isKeyTaken) {
        throw new ConflictError(
          `cannot ${verb} job ${id}: another live job has its unique key ` +
            JSON.stringify(change.job.options?.uniqueKey),
        );
      }
      const allowed = { cancel: "waits or runs", requeue: "is dead or cancelled" }[verb] ??
        "is not running";
      throw new ConflictError(
        `cannot ${verb} job ${id}: it is ${change.job.state}; expected one that ${allowed}`,
      );
    }
    default:
      return change.job;
  }
}

/** Every place where a job that does not exist is named. */
function unknownIds(
  ids: readonly string[],
  jobs: readonly NewJob[],
  isBatch: boolean,
): InvalidInputError {
  const unknown = new Set(ids);
  const problems: Problem[] = [];
  for (const [index, { extras }] of jobs.entries()) {
    for (const id of extras?.after?.ids ?? []) {
      if (!unknown.has(id)) continue;
      const detail = `after: there is no job with the id ${JSON.stringify(id)} to wait for`;
      problems.push({ detail, pointer: isBatch ? `/${index}/after` : "/after" });
    }
  }
  return new InvalidInputError(problems);
}

function duplicateIds(ids: readonly string[]): ConflictError {
  const shown = ids.slice(0, 10).map((id) => JSON.stringify(id)).join(", ");
  const rest = ids.length > 10 ? ` and ${ids.length - 10} more` : "";
  const noun = ids.length === 1 ? "a job with the id" : "jobs with the ids";
  const verb = ids.length === 1 ? "exists" : "exist";
  return new ConflictError(`${noun} ${shown}${rest} ${verb} already`);
}

function takenKeys(taken: readonly LiveJob[]): ConflictError {
  const shown = taken.slice(0, 10).map(({ id, state, key }) =>
    `${JSON.stringify(key)} by the job ${id}, which is ${state}`
  ).join("; ");
  const rest = taken.length > 10 ? ` and ${taken.length - 10} more` : "";
  return new ConflictError(`the unique key is taken: ${shown}${rest}`);
}
