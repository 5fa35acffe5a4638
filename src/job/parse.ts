/**
 * From something unknown (a JSON body, form fields, command-line flags) to a {@link NewJob}, or to
 * every problem at once. Owns the rules on fields; the rules on a kind's payload come as an
 * argument, because kinds live in a room above this one.
 */
import { relationProblems } from "./batch_relations.ts";
import { InvalidInputError, type Problem } from "./errors.ts";
import {
  AFTER_CONDITIONS,
  BUILT_IN_KINDS,
  type JobExtras,
  LIMITS,
  type NewJob,
  ON_CONFLICT,
  type Payload,
  type StagedFile,
} from "./job.ts";
import {
  BACKOFF_SCHEMA,
  EXIT_CODE_SCHEMA,
  parseAfter,
  parseBackoff,
  parseExitCodes,
  parseUrl,
  readRetryPolicy,
} from "./parse_extras.ts";
import {
  choiceField,
  described,
  durationField,
  type Field,
  integerField,
  type JsonSchema,
  textField,
} from "./field.ts";
import { describe, type Parsed, quote } from "./parse_values.ts";

export { describe } from "./parse_values.ts";

/** Checks a kind's payload: returns what to store, or what is wrong with it. */
export type PayloadParser = (
  payload: unknown,
  context: { readonly cwd: string | null; readonly input?: StagedFile | null },
) =>
  | { readonly payload: Payload }
  | { readonly problem: string }
  | { readonly problems: readonly PayloadProblem[] };

/** Something wrong inside of a payload; `path` leads to it, as `/headers/Host`. */
export interface PayloadProblem {
  readonly path: string;
  readonly detail: string;
}

export interface ParseContext {
  readonly nowMs: number;
  readonly newId: () => string;
  readonly maxRetries: number;
  /** For jobs that name none; null: no limit. */
  readonly timeoutMs: number | null;
  /** The kinds that exist here, each with the check of its payload. */
  readonly kinds: ReadonlyMap<string, PayloadParser>;
  /** Where commands run that name no directory; null: where the worker runs. */
  readonly cwd: string | null;
  /** The file that comes with the job. */
  readonly input?: StagedFile | null;
  /** The trace that the job belongs to. */
  readonly traceparent?: string | null;
}

/** The pattern of a job's id. No client can ask for `/jobs/.` or `/jobs/..`: they are resolved away. */
export const ID_PATTERN = /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,64}$/;

/** Said where {@link ID_PATTERN} is expected. */
function notDots(value: unknown): string {
  return value === "." || value === ".." ? ', but not "." or "..", which no URL can name' : "";
}

/** A name, as {@link parseName} reads it, or an id. */
export const NAME_SCHEMA: JsonSchema = { type: "string", pattern: ID_PATTERN.source };

const NAME: Field<string> = { parse: parseName, schema: NAME_SCHEMA };

const IDS_PATTERN = String.raw`^\s*[A-Za-z0-9._:-]{1,64}(\s*,\s*[A-Za-z0-9._:-]{1,64})*\s*$`;

/** What {@link parseInstant} reads, as far as a pattern can say it. */
const INSTANT_PATTERN = "^" +
  String.raw`(19[6-9]\d|[2-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])` +
  String.raw`([Tt ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?` +
  String.raw`([Zz]|[+-]([01]\d|2[0-3]):?[0-5]\d)?)?$`;

/**
 * Every field of a job as JSON: how it is read, and what is said of it. To add a field, add a row
 * here and read it in `parseNewJob`.
 */
export const JOB_FIELDS = {
  id: described(
    { parse: parseId, schema: NAME_SCHEMA },
    "Chosen by the caller; by default a new one is made.",
  ),
  queue: described(NAME, 'The lane that it waits in. Default: "default".'),
  kind: described(NAME, "What runs it: count, command, http, or a kind of a handler."),
  payload: {
    parse: (value: unknown): Parsed<unknown> => ({ value }),
    schema: {
      description:
        "What the kind is given. Of count: the text; of http: the request. A kind of a " +
        "handler may go without: it is given null.",
    },
  },
  command: {
    parse: parseCommand,
    schema: {
      anyOf: [
        { type: "string", minLength: 1 },
        {
          type: "array",
          items: { type: "string" },
          minItems: 1,
          maxItems: LIMITS.commandArguments,
        },
      ],
      description: "Stands for the kind command: a line for sh -c, or the words of a program.",
      examples: ["make report"],
    },
  },
  cwd: {
    parse: parseDirectory,
    schema: {
      type: "string",
      maxLength: LIMITS.pathLength,
      pattern: String.raw`^/[^\u0000]*$`,
      description: "The directory that a command runs in.",
    },
  },
  priority: described(
    integerField(-LIMITS.priority, LIMITS.priority),
    "Higher ones run first. Default: 0.",
  ),
  run_at: {
    parse: parseInstant,
    schema: {
      type: "string",
      pattern: INSTANT_PATTERN,
      description: "Not before this time (ISO 8601; without a zone: UTC). Not beside delay.",
      examples: ["2030-12-01T10:00:00Z"],
    },
  },
  delay: described(durationField(0, LIMITS.delayMs), "Not before this has passed."),
  max_retries: described(
    integerField(0, LIMITS.maxRetries),
    "How often it is tried again after the first attempt.",
  ),
  timeout: described(durationField(1, LIMITS.timeoutMs), "How long an attempt may take."),
  key: described(
    textField(LIMITS.keyLength),
    "Such as a customer: keys of a queue take turns, and may be limited.",
  ),
  unique_key: described(
    textField(LIMITS.keyLength),
    "Of jobs with the same one, at most one waits or runs at any time.",
  ),
  on_conflict: described(
    choiceField(ON_CONFLICT),
    "What happens when another job has the unique key. Default: return, the job that is there.",
  ),
  after: {
    parse: parseAfter,
    schema: {
      anyOf: [
        { type: "string", pattern: IDS_PATTERN },
        { type: "array", items: NAME_SCHEMA, minItems: 1, maxItems: LIMITS.dependencies },
      ],
      description: "Ids of jobs: it runs once they have all ended.",
    },
  },
  after_on: described(
    choiceField(AFTER_CONDITIONS),
    "How these have to end, or else it is cancelled. Default: success.",
  ),
  callback_url: {
    parse: parseUrl,
    schema: {
      type: "string",
      maxLength: LIMITS.urlLength,
      pattern: String.raw`^\s*[Hh][Tt][Tt][Pp][Ss]?:`,
      description: "Where its outcome is posted to, signed.",
    },
  },
  backoff: { parse: parseBackoff, schema: BACKOFF_SCHEMA },
  jitter: {
    parse: parseJitter,
    schema: {
      type: "number",
      minimum: 0,
      maximum: 1,
      description: "By how much each wait is made longer or shorter: 0.2 is a fifth.",
    },
  },
  retry_on: {
    parse: parseExitCodes,
    schema: {
      anyOf: [
        EXIT_CODE_SCHEMA,
        { type: "string", pattern: String.raw`^\d{1,9}(, *\d{1,9})*$` },
        { type: "array", items: EXIT_CODE_SCHEMA, minItems: 1, maxItems: LIMITS.retryList },
      ],
      description: "The exit codes after which a command is tried again; by default all.",
    },
  },
  max_age: described(
    durationField(1, LIMITS.delayMs),
    "It is not tried again when that would be so long after it was due first.",
  ),
} as const satisfies Record<string, Field<unknown>>;

/** A job as JSON, as {@link parseNewJob} reads it. */
export const JOB_SCHEMA: JsonSchema = {
  type: "object",
  properties: Object.fromEntries(
    Object.entries(JOB_FIELDS).map(([name, { schema }]) => [name, schema]),
  ),
  additionalProperties: false,
  anyOf: [
    { required: ["command"] },
    { required: ["kind", "payload"] },
    { required: ["kind"], properties: { kind: { not: { enum: BUILT_IN_KINDS } } } },
  ],
  not: { required: ["run_at", "delay"] },
  dependentRequired: { on_conflict: ["unique_key"], after_on: ["after"] },
};

type FieldName = keyof typeof JOB_FIELDS;
export type FieldValues = {
  -readonly [K in FieldName]?: Extract<
    ReturnType<(typeof JOB_FIELDS)[K]["parse"]>,
    { value: unknown }
  >["value"];
};

/**
 * The job that the input describes.
 *
 * @throws {InvalidInputError} with every problem; `pointerPrefix` goes before each pointer.
 */
export function parseNewJob(input: unknown, context: ParseContext, pointerPrefix = ""): NewJob {
  const result = tryParseNewJob(input, context, pointerPrefix);
  if (Array.isArray(result)) throw new InvalidInputError(result);
  return result as NewJob;
}

/** Like {@link parseNewJob} for many at once: all of them, or the problems of all of them. */
export function parseNewJobs(inputs: readonly unknown[], context: ParseContext): NewJob[] {
  if (inputs.length === 0) {
    throw new InvalidInputError([{ detail: "expected at least one job, got none", pointer: "" }]);
  }
  if (inputs.length > LIMITS.batchJobs) {
    const detail = `expected at most ${LIMITS.batchJobs} jobs at once, got ${inputs.length}`;
    throw new InvalidInputError([{ detail, pointer: "" }]);
  }
  const jobs: NewJob[] = [];
  const indexes: number[] = [];
  const problems: Problem[] = [];
  let areRelated = false;
  const firstWithId = new Map<string, number>();
  for (const [index, input] of inputs.entries()) {
    const result = tryParseNewJob(input, context, `/${index}`);
    if (Array.isArray(result)) {
      problems.push(...result);
      continue;
    }
    const job = result as NewJob;
    const first = job.isIdFresh ? undefined : firstWithId.get(job.id);
    if (first !== undefined) {
      const detail = `the id ${quote(job.id)} stands twice in the batch, first in job ${first + 1}`;
      problems.push({ detail, pointer: `/${index}/id` });
    }
    if (!job.isIdFresh) firstWithId.set(job.id, first ?? index);
    jobs.push(job);
    indexes.push(index);
    areRelated ||= job.extras !== null;
  }
  if (areRelated) problems.push(...relationProblems(jobs, indexes));
  if (problems.length > 0) throw new InvalidInputError(problems);
  return jobs;
}

function tryParseNewJob(
  input: unknown,
  context: ParseContext,
  pointerPrefix: string,
): NewJob | Problem[] {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    const detail = `expected a JSON object that describes a job, got ${describe(input)}`;
    return [{ detail, pointer: pointerPrefix }];
  }
  const problems: Problem[] = [];
  const report = (field: string, detail: string) =>
    problems.push({ detail, pointer: `${pointerPrefix}/${field}` });

  const fields: FieldValues = {};
  for (const key in input) {
    if (!Object.hasOwn(input, key)) continue;
    if (!Object.hasOwn(JOB_FIELDS, key)) {
      report(escapePointer(key), `there is no field ${quote(key)}${suggestField(key)}`);
      continue;
    }
    const value = (input as Record<string, unknown>)[key];
    const parsed = JOB_FIELDS[key as FieldName].parse(value) as Parsed<never>;
    if ("problem" in parsed) report(key, `${key}: ${parsed.problem}`);
    else fields[key as FieldName] = parsed.value;
  }

  const file = context.input ?? null;
  const has = (field: FieldName) => Object.hasOwn(input, field);
  if (has("run_at") && has("delay")) {
    report("delay", "delay: give either run_at or delay, not both");
  }
  let kind = fields.kind;
  let payload = fields.payload;
  if (has("command")) {
    if (has("payload")) report("payload", "payload: give either command or payload, not both");
    if (kind !== undefined && kind !== "command") {
      report("kind", `kind: a job with a command is of kind "command", got ${quote(kind)}`);
    }
    kind = "command";
    payload = fields.command;
  } else if (!has("kind")) {
    report("kind", `kind: missing; expected one of ${listKinds(context)}, or a command`);
  } else if (!has("payload")) {
    // The file may say it all; and what a kind of a user needs, its handler knows.
    const isOfUser = kind !== undefined && !BUILT_IN_KINDS.includes(kind);
    if (file !== null || isOfUser) payload = null;
    else report("payload", "payload: missing");
  }

  const parsePayload = kind === undefined ? undefined : context.kinds.get(kind);
  if (kind !== undefined && parsePayload === undefined) {
    const found = `expected one of ${listKinds(context)}, got ${quote(kind)}`;
    report("kind", `kind: ${found}; ${HOW_KINDS_BECOME_KNOWN}`);
  }
  if (has("on_conflict") && !has("unique_key")) {
    report("on_conflict", "on_conflict: means something only together with unique_key");
  }
  if (has("after_on") && !has("after")) {
    report("after_on", "after_on: means something only together with after");
  }
  if (fields.after !== undefined && fields.id !== undefined && fields.after.includes(fields.id)) {
    report("after", `after: the job ${quote(fields.id)} cannot wait for itself`);
  }
  if (has("retry_on") && kind !== undefined && kind !== "command") {
    report("retry_on", "retry_on: only commands end with an exit code");
  }
  if (has("cwd") && kind !== "command") report("cwd", "cwd: only commands run in a directory");
  let stored: Payload = "";
  if (parsePayload !== undefined && payload !== undefined) {
    const parsed = parsePayload(payload, { cwd: fields.cwd ?? context.cwd, input: file });
    const field = has("command") ? "command" : "payload";
    if ("problem" in parsed) report(field, `${field}: ${parsed.problem}`);
    else if ("problems" in parsed) {
      for (const { path, detail } of parsed.problems) {
        report(`${field}${path}`, `${field}${path.replaceAll("/", ".")}: ${detail}`);
      }
    } else stored = parsed.payload;
  }
  if (problems.length > 0) return problems;

  const runAtMs = fields.run_at ?? context.nowMs + (fields.delay ?? 0);
  return {
    id: fields.id ?? context.newId(),
    isIdFresh: fields.id === undefined,
    queue: fields.queue ?? "default",
    kind: kind!,
    payload: stored,
    priority: fields.priority ?? 0,
    runAtMs,
    maxRetries: fields.max_retries ?? context.maxRetries,
    timeoutMs: fields.timeout ?? context.timeoutMs,
    extras: readExtras(fields, {
      firstDueAtMs: Math.max(runAtMs, context.nowMs),
      fileId: file?.file ?? null,
      traceparent: context.traceparent ?? null,
    }),
  };
}

/** What the job has besides what every job has; null: nothing. */
function readExtras(
  fields: FieldValues,
  { firstDueAtMs, fileId, traceparent }: {
    firstDueAtMs: number;
    fileId: number | null;
    traceparent: string | null;
  },
): JobExtras | null {
  const { key, unique_key, after, callback_url } = fields;
  const retry = readRetryPolicy(fields, firstDueAtMs);
  if (
    key === undefined && unique_key === undefined && after === undefined &&
    callback_url === undefined && retry === undefined && fileId === null && traceparent === null
  ) return null;
  const hasOptions = retry !== undefined || callback_url !== undefined ||
    unique_key !== undefined || traceparent !== null;
  return {
    options: hasOptions
      ? {
        ...(retry === undefined ? {} : { retry }),
        ...(callback_url === undefined ? {} : { callbackUrl: callback_url }),
        ...(unique_key === undefined ? {} : { uniqueKey: unique_key }),
        ...(traceparent === null ? {} : { traceparent }),
      }
      : null,
    key: key ?? null,
    unique: unique_key === undefined
      ? null
      : { key: unique_key, onConflict: fields.on_conflict ?? "return" },
    after: after === undefined ? null : { ids: after, on: fields.after_on ?? "success" },
    fileId,
    schedule: null,
  };
}

function parseId(value: unknown): Parsed<string> {
  if (typeof value === "string" && ID_PATTERN.test(value)) return { value };
  return {
    problem: `expected 1 to ${LIMITS.idLength} characters of A-Z a-z 0-9 . _ : -` +
      `${notDots(value)}, got ${describe(value)}`,
  };
}

/** A name of a queue, a kind, a schedule. */
export function parseName(value: unknown): Parsed<string> {
  if (typeof value === "string" && ID_PATTERN.test(value)) return { value };
  return {
    problem: `expected a name of 1 to ${LIMITS.nameLength} characters of A-Z a-z 0-9 . _ : -` +
      `${notDots(value)}, got ${describe(value)}`,
  };
}

function parseJitter(value: unknown): Parsed<number> {
  if (typeof value === "number" && value >= 0 && value <= 1) return { value };
  return { problem: `expected a number from 0 to 1, got ${describe(value)}` };
}

/** The shape of a command is checked by its kind; here only what JSON type it has. */
function parseCommand(value: unknown): Parsed<unknown> {
  if (typeof value === "string" || Array.isArray(value)) return { value };
  return { problem: `expected a string or an array of strings, got ${describe(value)}` };
}

/** Where a command is to run. */
export function parseDirectory(value: unknown): Parsed<string> {
  const isPath = typeof value === "string" && value.startsWith("/") && !value.includes("\0") &&
    value.length <= LIMITS.pathLength;
  if (isPath) return { value };
  return {
    problem: `expected an absolute path of at most ${LIMITS.pathLength} characters, got ` +
      describe(value),
  };
}

const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?)?$/;

/** An ISO 8601 instant; without a zone it is UTC. */
function parseInstant(value: unknown): Parsed<number> {
  const problem = "expected an ISO 8601 time such as 2030-12-01T10:00:00Z, got " + describe(value);
  if (typeof value !== "string") return { problem };
  const match = INSTANT.exec(value);
  if (match === null) return { problem };
  const [, year, month, day, hour = "00", minute = "00", , zone = "Z"] = match;
  const calendar = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const isRealDay = calendar.getUTCMonth() === Number(month) - 1 &&
    calendar.getUTCDate() === Number(day);
  if (!isRealDay || Number(hour) > 23 || Number(minute) > 59) return { problem };
  const clockTime = value.slice(10).replace(/^[Tt ]/, "").replace(/([Zz]|[+-]\d\d:?\d\d)$/, "")
    .replace(",", ".") || "00:00";
  const offset = /^[+-]\d{4}$/.test(zone)
    ? `${zone.slice(0, 3)}:${zone.slice(3)}`
    : zone.toUpperCase();
  const ms = Date.parse(`${year}-${month}-${day}T${clockTime}${offset}`);
  return Number.isNaN(ms) || ms < 0 ? { problem } : { value: ms };
}

const HOW_KINDS_BECOME_KNOWN =
  "others are known once a worker with --handlers or --handler has had them, or by extra-kinds";

function listKinds({ kinds }: ParseContext): string {
  return [...kinds.keys()].map((kind) => `"${kind}"`).join(", ");
}

/** Names that people use elsewhere for what is called otherwise here. */
const OTHER_NAMES: Record<string, FieldName> = {
  args: "payload",
  cmd: "command",
  data: "payload",
  job_id: "id",
  maxRetries: "max_retries",
  retries: "max_retries",
  runAt: "run_at",
  scheduled_at: "run_at",
  type: "kind",
};

function suggestField(key: string): string {
  const other = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key] : undefined;
  if (other !== undefined) return `; did you mean "${other}"?`;
  return `; the fields are ${Object.keys(JOB_FIELDS).join(", ")}`;
}

export function escapePointer(key: string): string {
  return (key.length > 80 ? key.slice(0, 80) : key).replaceAll("~", "~0").replaceAll("/", "~1");
}
