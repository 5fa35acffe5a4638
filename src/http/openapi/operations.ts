/**
 * What is said of each route: words, parameters, bodies, answers. A row for every row of
 * `routes.ts`, which a test checks. What is validated is described where it is validated.
 */
import { JOB_FIELDS, JOB_SCHEMA } from "../../job/parse.ts";
import type { JsonSchema } from "../../job/field.ts";
import { LIMITS } from "../../job/job.ts";
import { LIMITS_SCHEMA } from "../../job/limits.ts";
import { SCHEDULE_SCHEMA } from "../../job/schedule_parse.ts";
import { EDIT_FIELDS } from "../../queue/edit.ts";
import { BATCH_READERS } from "../job_batch.ts";
import type { ProblemCode } from "../problem.ts";
import { AUDIT_PARAMETERS } from "../routes/audit.ts";
import { BULK_SCHEMA } from "../routes/bulk.ts";
import { EVENT_PARAMETERS } from "../routes/events.ts";
import { WAIT_PARAMETER } from "../routes/job.ts";
import { LIST_PARAMETERS } from "../routes/list.ts";
import { OUTPUT_PARAMETERS } from "../routes/output.ts";
import { PRUNE_SCHEMA } from "../routes/prune.ts";
import { SCHEDULE_PARAMETERS } from "../routes/schedules.ts";
import { WEBHOOK_PARAMETERS } from "../routes/webhooks.ts";
import { object, ref } from "./schemas.ts";

export interface Described {
  readonly schema: JsonSchema;
  readonly description: string;
}

export interface Operation {
  readonly tag: "Jobs" | "Queues" | "Schedules" | "Webhooks" | "Watching" | "Service";
  /** A few words. */
  readonly summary: string;
  /** What else there is to know. */
  readonly description?: string;
  readonly query?: Readonly<Record<string, Described>>;
  readonly headers?: Readonly<Record<string, Described>>;
  /** By media type. */
  readonly body?: Readonly<Record<string, JsonSchema>>;
  readonly isBodyOptional?: true;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Besides those that every route has: see `document.ts`. */
  readonly problems?: readonly ProblemCode[];
}

export interface Answer {
  readonly description: string;
  /** By media type; none: there is no body to speak of. */
  readonly content: Readonly<Record<string, JsonSchema>>;
  readonly headers?: Readonly<Record<string, Described>>;
}

function answer(description: string, schema: JsonSchema): Answer {
  return { description, content: { "application/json": schema } };
}

function bytes(description: string, mediaType: string): Answer {
  return { description, content: { [mediaType]: {} } };
}

function json(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return { "application/json": schema };
}

const LOCATION = {
  Location: { schema: { type: "string" }, description: "The path of the job." },
};
const IDEMPOTENCY_KEY = {
  "Idempotency-Key": {
    schema: { type: "string", minLength: 1, maxLength: 257 },
    description: "The same request sent again with the same key adds nothing again.",
  },
};
const RETRY_AFTER = {
  "Retry-After": { schema: { type: "integer" }, description: "Seconds." },
};

/** The fields of a form: those of a job, and the upload. */
const FORM_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    file: { type: "string", contentMediaType: "application/octet-stream" },
    ...Object.fromEntries(Object.entries(JOB_FIELDS).map(([name, { schema }]) => [name, schema])),
  },
  required: ["file"],
  additionalProperties: false,
};

/** What can be changed when a job is requeued. */
const EDIT_SCHEMA: JsonSchema = {
  type: "object",
  properties: Object.fromEntries(EDIT_FIELDS.map((name) => {
    const { schema } = JOB_FIELDS[name];
    const isNullable = name === "timeout";
    return [name, isNullable ? { anyOf: [schema, { type: "null" }] } : schema];
  })),
  additionalProperties: false,
};

const BATCH: JsonSchema = {
  type: "array",
  items: ref("Job"),
  minItems: 1,
  maxItems: LIMITS.batchJobs,
};

/** Lines of JSON are no JSON, of which a schema could say something. */
const BATCH_BODIES = Object.fromEntries(
  [...BATCH_READERS.keys()].map((type) => [type, type === "application/json" ? BATCH : {}]),
);

const changedQueue = { 200: answer("What is said of the queue now.", ref("QueueRules")) };
const changedSchedule = { 200: answer("The schedule.", ref("Schedule")) };
const changedJob = answer("The changed job.", ref("ChangedJob"));

/** Requests whose shape has a name of its own. */
export const REQUEST_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Job: { ...JOB_SCHEMA, description: "A job that is to be added." },
  NewSchedule: SCHEDULE_SCHEMA,
};

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /jobs": {
    tag: "Jobs",
    summary: "Add a job",
    description: "As JSON, or as a form with an upload, which is the text to count unless the " +
      "form names another kind or a command.",
    headers: IDEMPOTENCY_KEY,
    body: { "application/json": ref("Job"), "multipart/form-data": FORM_SCHEMA },
    answers: {
      201: { ...answer("It is stored durably.", ref("Added")), headers: LOCATION },
      200: {
        ...answer("A live job with its unique key stands for it.", ref("Added")),
        headers: LOCATION,
      },
    },
    problems: ["conflict", "idempotency-key-in-use", "idempotency-key-reused", "queue-full"],
  },
  "POST /jobs/batch": {
    tag: "Jobs",
    summary: "Add many jobs, all or none",
    headers: IDEMPOTENCY_KEY,
    body: BATCH_BODIES,
    answers: {
      201: answer("All of them are stored durably.", ref("AddedAll")),
      200: answer("Each of them was there already.", ref("AddedAll")),
    },
    problems: ["conflict", "idempotency-key-in-use", "idempotency-key-reused", "queue-full"],
  },
  "POST /jobs/bulk": {
    tag: "Jobs",
    summary: "Cancel, requeue or delete many jobs",
    description: "Those that are named, or all that a search finds; with dry_run it only counts.",
    body: json(BULK_SCHEMA),
    answers: { 200: answer("How many there were.", ref("BulkResult")) },
  },
  "POST /prune": {
    tag: "Service",
    summary: "Delete finished jobs that are old enough",
    description: "By the settings, unless the body says otherwise; with dry_run it only counts.",
    body: json(PRUNE_SCHEMA),
    answers: { 200: answer("How many there were.", ref("PruneResult")) },
  },
  "GET /jobs": {
    tag: "Jobs",
    summary: "A page of jobs, newest first",
    description: "A page of a search may hold fewer jobs than asked for, and not be the last.",
    query: LIST_PARAMETERS,
    answers: { 200: answer("The page.", ref("JobPage")) },
  },
  "GET /jobs/{id}": {
    tag: "Jobs",
    summary: "Everything about a job",
    query: { wait: WAIT_PARAMETER },
    answers: { 200: answer("The job.", ref("JobDetails")) },
  },
  "GET /jobs/{id}/status": {
    tag: "Jobs",
    summary: "Where a job stands",
    query: { wait: WAIT_PARAMETER },
    answers: { 200: answer("Its status.", ref("JobStatus")) },
  },
  "GET /jobs/{id}/result": {
    tag: "Jobs",
    summary: "What came out of a job",
    query: { wait: WAIT_PARAMETER },
    answers: {
      200: answer("The result.", ref("Result")),
      202: { ...answer("It is not finished.", ref("ResultNotReady")), headers: RETRY_AFTER },
      409: {
        description: "It has ended without a result.",
        content: { "application/problem+json": ref("NoResult") },
      },
    },
  },
  "GET /jobs/{id}/output": {
    tag: "Jobs",
    summary: "What a job has printed",
    query: OUTPUT_PARAMETERS,
    answers: {
      200: {
        ...bytes("The bytes as they came.", "text/plain"),
        headers: {
          "X-Output-Truncated": {
            schema: { const: "true" },
            description: "There when more was printed than was kept.",
          },
        },
      },
    },
  },
  "GET /jobs/{id}/input": {
    tag: "Jobs",
    summary: "The file that a job was given",
    answers: { 200: bytes("Its bytes.", "application/octet-stream") },
  },
  "GET /jobs/{id}/artifacts": {
    tag: "Jobs",
    summary: "The files that a job has left",
    answers: { 200: answer("Those that were kept, and others.", ref("Artifacts")) },
  },
  "GET /jobs/{id}/artifacts/{name}": {
    tag: "Jobs",
    summary: "A file that a job has left",
    answers: { 200: bytes("Its bytes.", "application/octet-stream") },
  },
  "POST /jobs/{id}/cancel": {
    tag: "Jobs",
    summary: "Cancel a job; a running one is stopped",
    answers: { 200: changedJob },
    problems: ["conflict"],
  },
  "POST /jobs/{id}/requeue": {
    tag: "Jobs",
    summary: "Give a dead or cancelled job a fresh set of attempts",
    description: "With a body: changed, as that says. Changes of what it does need the scope " +
      "submit too.",
    body: json(EDIT_SCHEMA),
    isBodyOptional: true,
    answers: { 200: changedJob },
    problems: ["conflict"],
  },
  "DELETE /jobs/{id}": {
    tag: "Jobs",
    summary: "Delete a job that no worker has",
    answers: { 200: answer("The job as it was.", ref("ChangedJob")) },
    problems: ["conflict"],
  },
  "GET /stats": {
    tag: "Watching",
    summary: "Counts, throughput, the oldest ready job, workers",
    answers: { 200: answer("The queue at a glance.", ref("Stats")) },
  },
  "GET /queues": {
    tag: "Queues",
    summary: "Every queue, with its limits",
    answers: {
      200: answer("By name.", object({ queues: { type: "array", items: ref("Queue") } })),
    },
  },
  "GET /queues/{name}": {
    tag: "Queues",
    summary: "One queue",
    answers: { 200: answer("The queue.", ref("Queue")) },
  },
  "PATCH /queues/{name}": {
    tag: "Queues",
    summary: "Limit a queue",
    description: "What is left out stays as it is; null takes a limit away.",
    body: { "application/json": LIMITS_SCHEMA, "application/merge-patch+json": LIMITS_SCHEMA },
    answers: changedQueue,
  },
  "POST /queues/{name}/pause": {
    tag: "Queues",
    summary: "Start none of its jobs; what runs goes on",
    answers: changedQueue,
  },
  "POST /queues/{name}/resume": {
    tag: "Queues",
    summary: "Start its jobs again",
    answers: changedQueue,
  },
  "GET /workers": {
    tag: "Watching",
    summary: "The live workers, and what each does",
    answers: {
      200: answer(
        "Of all processes.",
        object({ workers: { type: "array", items: ref("Worker") } }),
      ),
    },
  },
  "POST /workers/{process}/drain": {
    tag: "Watching",
    summary: "Ask a process of workers to finish its jobs and end",
    description: "Those of `queuectl worker` on the machine of this server.",
    answers: {
      200: answer(
        "It was asked to.",
        object({
          process: { type: "string" },
          workers: { type: "array", items: { type: "string" } },
        }),
      ),
    },
    problems: ["conflict"],
  },
  "GET /schedules": {
    tag: "Schedules",
    summary: "Every schedule",
    answers: {
      200: answer("By name.", object({ schedules: { type: "array", items: ref("Schedule") } })),
    },
  },
  "POST /schedules": {
    tag: "Schedules",
    summary: "Add a job again and again",
    body: json(ref("NewSchedule")),
    answers: {
      201: {
        ...answer("The schedule.", ref("Schedule")),
        headers: {
          Location: { schema: { type: "string" }, description: "The path of the schedule." },
        },
      },
      200: answer("It has taken the place of another one.", ref("Schedule")),
    },
    problems: ["conflict"],
  },
  "GET /schedules/{name}": {
    tag: "Schedules",
    summary: "A schedule, and when it runs next",
    query: SCHEDULE_PARAMETERS,
    answers: { 200: answer("The schedule.", ref("ScheduleDetails")) },
  },
  "DELETE /schedules/{name}": {
    tag: "Schedules",
    summary: "Remove a schedule; its jobs stay",
    answers: { 200: answer("The schedule as it was.", ref("Schedule")) },
  },
  "POST /schedules/{name}/pause": {
    tag: "Schedules",
    summary: "Make no jobs until it is resumed",
    answers: changedSchedule,
  },
  "POST /schedules/{name}/resume": {
    tag: "Schedules",
    summary: "Make jobs again, from the next time on",
    answers: changedSchedule,
  },
  "POST /schedules/{name}/run": {
    tag: "Schedules",
    summary: "Add its job now",
    answers: { 201: { ...answer("The job.", ref("ScheduleRun")), headers: LOCATION } },
    problems: ["queue-full", "conflict"],
  },
  "GET /metrics": {
    tag: "Watching",
    summary: "Figures for Prometheus",
    answers: { 200: bytes("The text format, version 0.0.4.", "text/plain") },
  },
  "GET /events": {
    tag: "Watching",
    summary: "What happens, live",
    description: "Server-sent events; an event named gap says that some are missing.",
    query: EVENT_PARAMETERS,
    headers: {
      "Last-Event-ID": {
        schema: { type: "string" },
        description: "Go on after this event; browsers send it by themselves.",
      },
    },
    answers: { 200: bytes("Goes on until somebody ends it.", "text/event-stream") },
    problems: ["queue-full"],
  },
  "GET /webhooks": {
    tag: "Webhooks",
    summary: "What was posted, and what became of it",
    query: WEBHOOK_PARAMETERS,
    answers: {
      200: answer(
        "A page, newest first.",
        object({
          webhooks: { type: "array", items: ref("Webhook") },
          next_before: { type: ["integer", "null"], description: "Null: this was the last page." },
        }),
      ),
    },
  },
  "GET /webhooks/{id}": {
    tag: "Webhooks",
    summary: "A webhook, with what is sent",
    answers: { 200: answer("The webhook.", ref("WebhookDetails")) },
  },
  "POST /webhooks/{id}/replay": {
    tag: "Webhooks",
    summary: "Send a webhook again",
    answers: { 200: answer("The webhook.", ref("Webhook")) },
    problems: ["conflict"],
  },
  "GET /audit": {
    tag: "Watching",
    summary: "Who changed what",
    query: AUDIT_PARAMETERS,
    answers: {
      200: answer(
        "A page, newest first.",
        object({ entries: { type: "array", items: ref("AuditEntry") } }),
      ),
    },
  },
  "GET /healthz": {
    tag: "Service",
    summary: "Whether the process lives",
    answers: { 200: answer("It does.", ref("Health")) },
  },
  "GET /readyz": {
    tag: "Service",
    summary: "Whether jobs can be added, proven by writing",
    answers: { 200: answer("They can.", object({ status: { const: "ready" } })) },
    problems: ["draining"],
  },
  "GET /openapi.json": {
    tag: "Service",
    summary: "This description",
    answers: { 200: answer("OpenAPI 3.1.", { type: "object" }) },
  },
};
