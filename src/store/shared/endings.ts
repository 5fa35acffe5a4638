/** What the end of a job is to those who wait for it. */
import type { AfterCondition, AttemptError } from "../../job/job.ts";

/** A job that ends. */
export interface EndingJob {
  readonly seq: number;
  readonly traits: number;
}

/** The states that jobs end in. */
export type EndState = "completed" | "dead" | "cancelled";

/** What those who wait for a job are told of its end. */
export type ToldEnd = EndState | "deleted";

/** Whether a job that ended so is what another one waits for; deleted is as good as cancelled. */
export function meets(condition: AfterCondition, state: ToldEnd): boolean {
  return condition === "any" || (condition === "success") === (state === "completed");
}

/** Why a job is cancelled that waited for another one. */
export function unmetError(id: string, state: ToldEnd | "missing"): AttemptError {
  const found = state === "missing"
    ? "there is no such job"
    : state === "deleted"
    ? "it was deleted"
    : `it is ${state}`;
  return { code: "dependency", message: `the job ${id}, which this one waits for: ${found}` };
}
