/**
 * What answers look like, as JSON Schema (2020-12): one for each shape that `queue/views.ts` and its
 * kin make. Tests hold them against real answers. Those of requests stand beside what reads them.
 */
import { AFTER_CONDITIONS } from "../../job/job.ts";
import type { JsonSchema } from "../../job/field.ts";
import { CATCH_UP, OVERLAP } from "../../job/schedule.ts";
import { HTTP_STATUS_OF, STATES } from "../../job/state.ts";
import { DELIVERY_STATES } from "../../store/deliveries.ts";

type Properties = Readonly<Record<string, JsonSchema>>;

const text: JsonSchema = { type: "string" };
const whole: JsonSchema = { type: "integer" };
const number: JsonSchema = { type: "number" };
const yes: JsonSchema = { type: "boolean" };
const time: JsonSchema = { type: "string", format: "date-time" };

function described(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description };
}

function orNull(schema: JsonSchema): JsonSchema {
  return typeof schema["type"] === "string"
    ? { ...schema, type: [schema["type"], "null"] }
    : { anyOf: [schema, { type: "null" }] };
}

function list(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

/** Every property is there, but for those that are named. */
export function object(properties: Properties, ...optional: string[]): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

const statusWord: JsonSchema = {
  type: "string",
  enum: [...new Set(Object.values(HTTP_STATUS_OF))],
  description:
    "In a word: pending also after a failure with retries left; done, failed, cancelled: the end.",
};
const state: JsonSchema = { type: "string", enum: STATES };
const counts: JsonSchema = object(Object.fromEntries(STATES.map((one) => [one, whole])));
const throughput = object({
  added: whole,
  completed: whole,
  failed_attempts: whole,
  dead: whole,
  cancelled: whole,
});
const oldestReady = orNull(object({ run_at: time, waiting_ms: whole }));

const STATUS: Properties = {
  job_id: text,
  status: statusWord,
  state,
  queue: text,
  kind: text,
  priority: whole,
  attempts: described(whole, "Attempts that have failed so far."),
  max_retries: whole,
  processing_by: described(orNull(text), "The worker that has it now."),
  cancel_requested: yes,
  run_at: described(orNull(time), "Null while it waits for other jobs."),
  waiting_for: described(list(text), "While it waits for other jobs: their ids."),
  created_at: time,
  updated_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
  error: described(orNull(text), "Of the last attempt that failed."),
  schedule: described(text, "The schedule that has made it."),
  scheduled_for: orNull(time),
  progress: object({ value: number, text: orNull(text), at: time }),
};
const STATUS_OPTIONAL = ["waiting_for", "schedule", "scheduled_for", "progress"];

const attempt = object({
  attempt: described(whole, "Counted from 1."),
  outcome: { type: "string", enum: ["running", "succeeded", "failed", "cancelled"] },
  worker: orNull(text),
  started_at: orNull(time),
  finished_at: orNull(time),
  duration_ms: orNull(whole),
  exit_code: orNull(whole),
  signal: orNull(text),
  error: orNull(text),
  error_code: orNull(text),
});

const ARTIFACTS: Properties = {
  artifacts: list(object({ name: text, bytes: whole, attempt: orNull(whole), created_at: time })),
  artifacts_dropped: list(
    object({ name: orNull(text), bytes: whole, attempt: orNull(whole), reason: text }),
  ),
};

const JOB: Properties = {
  ...STATUS,
  waiting_because: described(
    orNull(text),
    "What keeps a job that is due from starting: its queue, its key, or that nobody runs its kind.",
  ),
  id: text,
  timeout_ms: orNull(whole),
  key: orNull(text),
  unique_key: orNull(text),
  after: list(
    object({ id: text, condition: { type: "string", enum: AFTER_CONDITIONS }, is_met: yes }),
  ),
  callback_url: orNull(text),
  retry: orNull(
    object({
      backoff: orNull({ type: "object" }),
      jitter: number,
      retry_on: orNull(list(whole)),
      max_age_ms: orNull(whole),
      retry_until: orNull(time),
    }),
  ),
  payload: described({}, "Null where it is large."),
  payload_bytes: whole,
  input: orNull(object({ name: text, media_type: orNull(text), bytes: whole })),
  ...ARTIFACTS,
  result: described({}, "Null while there is none."),
  error_code: orNull(text),
  lease: orNull(object({ worker: orNull(text), token: whole, expires_at: orNull(time) })),
  attempt_history: list(ref("Attempt")),
  timings: object({
    waited_ms: orNull(whole),
    ran_ms: orNull(whole),
    total_ms: orNull(whole),
  }),
};

const RULES: Properties = {
  paused: yes,
  paused_at: orNull(time),
  max_running: orNull(whole),
  rate: orNull(object({ limit: whole, period: text, period_ms: whole })),
  key_max_running: orNull(whole),
};

const SCHEDULE: Properties = {
  name: text,
  cron: orNull(text),
  tz: orNull(text),
  every: orNull(text),
  catch_up: { type: "string", enum: CATCH_UP },
  overlap: { type: "string", enum: OVERLAP },
  paused: yes,
  paused_at: orNull(time),
  next_run_at: orNull(time),
  last_run_at: orNull(time),
  last_job_id: orNull(text),
  runs: whole,
  overlaps: whole,
  created_at: time,
  job: { type: "object" },
};

const WEBHOOK: Properties = {
  id: text,
  job_id: text,
  type: text,
  url: text,
  state: { type: "string", enum: DELIVERY_STATES },
  attempts: whole,
  last_status: orNull(whole),
  last_error: orNull(text),
  last_attempt_at: orNull(time),
  next_attempt_at: orNull(time),
  created_at: time,
  finished_at: orNull(time),
};

/** Shapes that have a name. */
export const SCHEMAS: Properties = {
  JobStatus: object(STATUS, ...STATUS_OPTIONAL),
  ChangedJob: object({ ...STATUS, id: text }, ...STATUS_OPTIONAL),
  JobDetails: object(JOB, ...STATUS_OPTIONAL),
  Attempt: attempt,
  Added: object({ job_id: text, status: statusWord, existing: { const: true } }, "existing"),
  AddedAll: object({ job_ids: list(text), existing: list(text) }, "existing"),
  Result: object(
    {
      job_id: text,
      status: { const: "done" },
      characters: described(whole, "Of the kind count."),
      result: described({}, "Of every other kind."),
    },
    "characters",
    "result",
  ),
  ResultNotReady: object({ job_id: text, status: statusWord, message: text }),
  NoResult: object({
    job_id: text,
    status: { type: "string", enum: ["failed", "cancelled"] },
    attempts: whole,
    error: orNull(text),
    type: text,
    title: text,
    detail: text,
  }),
  JobPage: object({
    jobs: list(ref("JobStatus")),
    next_cursor: described(orNull(text), "Null: this was the last page."),
  }),
  Artifacts: object({ job_id: text, ...ARTIFACTS }),
  BulkResult: object({
    action: text,
    dry_run: yes,
    matched: whole,
    allowed: described(whole, "Of them: those whose state allows the change."),
    changed: whole,
    has_more: described(yes, "There are more than one call changes: call again."),
  }),
  PruneResult: object({
    dry_run: yes,
    deleted: whole,
    jobs: described(
      object({ completed: whole, dead: whole, cancelled: whole }),
      "By state; in a dry run those that would go.",
    ),
  }),
  Stats: object({
    jobs: counts,
    total: whole,
    queues: list(object({ queue: text, jobs: counts, paused: yes })),
    throughput: object({ last_minute: throughput, last_hour: throughput }),
    oldest_ready: oldestReady,
    workers: list(ref("Worker")),
  }),
  Worker: object({
    worker: text,
    pid: whole,
    role: { type: "string", enum: ["serve", "worker"] },
    status: { type: "string", enum: ["idle", "busy", "draining"] },
    job_id: orNull(text),
    restarts: whole,
    started_at: time,
    heartbeat_at: time,
    process: text,
  }),
  Queue: object({
    queue: text,
    jobs: counts,
    running: whole,
    ...RULES,
    oldest_ready: oldestReady,
  }),
  QueueRules: object({ queue: text, ...RULES }),
  Schedule: object(SCHEDULE),
  ScheduleDetails: object({ ...SCHEDULE, next_runs: list(object({ at: time, local: text })) }),
  ScheduleRun: object({ schedule: text, job_id: text, status: statusWord }),
  Webhook: object(WEBHOOK),
  WebhookDetails: object({ ...WEBHOOK, body: { type: "object" } }),
  AuditEntry: object({
    seq: whole,
    at: time,
    by: text,
    action: text,
    target: text,
    outcome: { type: "string", enum: ["done", "requested", "refused"] },
    detail: orNull(text),
  }),
  Health: object({ status: { const: "ok" }, version: text, uptime_s: number, draining: yes }),
  Problem: described(
    object(
      {
        type: described(text, "Stable: urn:queuectl:problem:CODE."),
        title: text,
        status: whole,
        detail: text,
        errors: list(
          object({ detail: text, pointer: described(text, "A JSON Pointer (RFC 6901).") }),
        ),
      },
      "errors",
    ),
    "What went wrong (RFC 9457); with every problem, where several things are wrong.",
  ),
};
