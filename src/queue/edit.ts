/**
 * A job that is to run again, with some of its fields changed. Owns which fields these are; the rules
 * on their values are those of new jobs.
 */
import { fieldsOf } from "../job/parse_values.ts";
import { InvalidInputError, type Problem } from "../job/errors.ts";
import type { Job } from "../job/job.ts";
import type { JobEdit } from "../store/store.ts";
import type { Queue } from "./queue.ts";

/** The fields of a job that can be changed. */
export const EDIT_FIELDS = [
  "payload",
  "command",
  "cwd",
  "priority",
  "max_retries",
  "timeout",
  "run_at",
  "delay",
] as const;

/** Whether the changes replace what the job is to do, and not only how it is tried. */
export function changesWork(input: unknown): boolean {
  return typeof input === "object" && input !== null &&
    ["payload", "command", "cwd"].some((field) => Object.hasOwn(input, field));
}

/**
 * What the input changes in the job; a `timeout` of null means none.
 *
 * @throws {InvalidInputError} with every problem.
 */
export async function parseEdit(input: unknown, job: Job, queue: Queue): Promise<JobEdit> {
  const given = fieldsOf(input, "a JSON object with what is to change");
  const problems = Object.keys(given)
    .filter((field) => !(EDIT_FIELDS as readonly string[]).includes(field))
    .map((field): Problem => ({
      detail: `${field.slice(0, 80)}: cannot be changed; what can is ${EDIT_FIELDS.join(", ")}`,
      pointer: `/${field.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`,
    }));
  const { timeout, ...changes } = given;
  if (job.kind === "command" && "payload" in changes) {
    const detail = "payload: a command is changed by the fields command and cwd";
    problems.push({ detail, pointer: "/payload" });
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  const isWork = changesWork(changes);
  const edited = await queue.prepare({
    ...await workOf(job, queue, isWork),
    ...changes,
    ...(timeout === undefined || timeout === null ? {} : { timeout }),
  });
  const has = (field: string) => Object.hasOwn(given, field);
  return {
    ...(isWork ? { payload: edited.payload } : {}),
    ...(has("priority") ? { priority: edited.priority } : {}),
    ...(has("max_retries") ? { maxRetries: edited.maxRetries } : {}),
    ...(has("timeout") ? { timeoutMs: timeout === null ? null : edited.timeoutMs } : {}),
    ...(has("run_at") || has("delay") ? { dueAtMs: edited.runAtMs } : {}),
  };
}

/**
 * What the job does as it stands, which changes then replace. Where they do not, something harmless
 * takes its place: what is stored was valid when it was added, and is not checked again.
 */
async function workOf(job: Job, queue: Queue, isWork: boolean): Promise<Record<string, unknown>> {
  if (!isWork) return { command: "true" };
  if (job.kind !== "command") return { kind: job.kind };
  const { command, cwd } = JSON.parse(await queue.payload(job) as string);
  return { command, ...(cwd ? { cwd } : {}) };
}
