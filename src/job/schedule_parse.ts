/**
 * From something unknown (a JSON body, command-line flags) to a {@link NewSchedule}, or to every
 * problem at once. Owns the fields of a schedule; those of its job are the business of `parse.ts`.
 */
import { formatDuration } from "../lib/duration.ts";
import { Cron, CRON_EXPECTED } from "./cron.ts";
import { InvalidInputError, type Problem } from "./errors.ts";
import { durationSchema, type JsonSchema } from "./field.ts";
import { JOB_FIELDS, NAME_SCHEMA, type ParseContext, parseName, parseNewJob } from "./parse.ts";
import { describe, fieldsOf, parseChoice, parseDurationField } from "./parse_values.ts";
import { CATCH_UP, type NewSchedule, OVERLAP, SCHEDULE_LIMITS, type Timing } from "./schedule.ts";
import { nextTime } from "./schedule_times.ts";
import { similarZone, Zone } from "./zone.ts";

/** Every field of a schedule as JSON. */
const SCHEDULE_FIELDS = [
  "name",
  "cron",
  "tz",
  "every",
  "catch_up",
  "overlap",
  "replace",
  "job",
] as const;

/** Fields of a job that a schedule decides itself, or that make no sense for many jobs. */
const NOT_IN_SCHEDULES = ["id", "run_at", "delay", "after", "after_on"];

/** A schedule as JSON, as {@link parseNewSchedule} reads it. */
export const SCHEDULE_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    name: { ...NAME_SCHEMA, description: "Its name." },
    cron: {
      type: "string",
      minLength: 1,
      description: "When: five fields, six with seconds first, or a word such as @daily.",
      examples: ["30 2 * * MON-FRI"],
    },
    tz: {
      type: "string",
      maxLength: 100,
      description: "The time zone of cron. Default: UTC.",
      examples: ["Europe/Berlin"],
    },
    every: {
      ...durationSchema(SCHEDULE_LIMITS.everyLeastMs, SCHEDULE_LIMITS.everyMostMs),
      description: "Or how often.",
    },
    catch_up: {
      type: "string",
      enum: CATCH_UP,
      description: "What becomes of times that passed while nothing ran. Default: once.",
    },
    overlap: {
      type: "string",
      enum: OVERLAP,
      description: "What happens while its last job is not finished. Default: allow.",
    },
    replace: { type: "boolean", description: "Whether it takes the place of one with its name." },
    job: {
      type: "object",
      properties: Object.fromEntries(
        Object.entries(JOB_FIELDS)
          .filter(([field]) => !NOT_IN_SCHEDULES.includes(field))
          .map(([field, { schema }]) => [field, schema]),
      ),
      additionalProperties: false,
      description: "The jobs that it makes.",
    },
  } satisfies Record<(typeof SCHEDULE_FIELDS)[number], JsonSchema>,
  required: ["name", "job"],
  oneOf: [{ required: ["cron"] }, { required: ["every"] }],
  additionalProperties: false,
};

export interface ParsedSchedule {
  readonly schedule: NewSchedule;
  /** Whether it may take the place of one that has its name. */
  readonly isReplacing: boolean;
}

/**
 * The schedule that the input describes. What its job does not say is decided now, as it would be
 * for a job that is added now.
 *
 * @throws {InvalidInputError} with every problem.
 */
export function parseNewSchedule(input: unknown, context: ParseContext): ParsedSchedule {
  const fields = fieldsOf(input, "a JSON object that describes a schedule");
  const problems: Problem[] = [];
  const report: Report = (field, detail) => problems.push({ detail, pointer: `/${field}` });
  for (const key of Object.keys(fields)) {
    if ((SCHEDULE_FIELDS as readonly string[]).includes(key)) continue;
    const shown = describe(key.slice(0, 80));
    report(
      key.slice(0, 80),
      `there is no field ${shown}; the fields are ${SCHEDULE_FIELDS.join(", ")}`,
    );
  }
  const name = parseName(fields["name"]);
  if ("problem" in name) report("name", `name: ${name.problem}`);
  const timing = parseTiming(fields, context.nowMs, report);
  const catchUp = parseWord(fields, "catch_up", CATCH_UP, report);
  const overlap = parseWord(fields, "overlap", OVERLAP, report);
  const { replace = false } = fields;
  if (typeof replace !== "boolean") {
    report("replace", `replace: expected true or false, got ${describe(replace)}`);
  }
  const job = parseJob(fields["job"], context, problems);
  if (problems.length > 0) throw new InvalidInputError(problems);
  return {
    schedule: {
      name: (name as { value: string }).value,
      timing: timing!,
      catchUp,
      overlap,
      job: job!,
    },
    isReplacing: replace === true,
  };
}

type Report = (field: string, detail: string) => void;

function parseTiming(
  fields: Record<string, unknown>,
  nowMs: number,
  report: Report,
): Timing | undefined {
  const { cron, every, tz } = fields;
  if ((cron === undefined) === (every === undefined)) {
    const found = cron === undefined ? "neither" : "both";
    report("cron", `cron: expected either cron or every, got ${found}`);
    return undefined;
  }
  if (every !== undefined) {
    if (tz !== undefined) {
      report("tz", "tz: an interval (every) has no time zone; only cron has one");
    }
    return parseEvery(every, report);
  }
  const zone = parseZone(tz, report);
  return parseCron(cron, zone, nowMs, report);
}

function parseEvery(every: unknown, report: Report): Timing | undefined {
  const { everyLeastMs, everyMostMs } = SCHEDULE_LIMITS;
  const parsed = parseDurationField(every, everyLeastMs, everyMostMs);
  if ("value" in parsed) return { type: "every", everyMs: parsed.value };
  report("every", `every: ${parsed.problem}`);
  return undefined;
}

function parseZone(tz: unknown, report: Report): Zone | undefined {
  if (tz === undefined) return new Zone("UTC");
  try {
    if (typeof tz === "string" && tz.length <= 100) return new Zone(tz);
  } catch { /* there is no such zone */ }
  const similar = typeof tz === "string" ? similarZone(tz) : undefined;
  const hint = similar === undefined ? "" : `; did you mean ${similar}?`;
  report(
    "tz",
    `tz: expected a time zone such as Europe/Berlin or UTC, got ${describe(tz)}${hint}`,
  );
  return undefined;
}

function parseCron(
  text: unknown,
  zone: Zone | undefined,
  nowMs: number,
  report: Report,
): Timing | undefined {
  if (typeof text !== "string") {
    report("cron", `cron: expected ${CRON_EXPECTED}; got ${describe(text)}`);
    return undefined;
  }
  let cron: Cron;
  try {
    cron = new Cron(text);
  } catch (error) {
    const reason = (error as Error).message;
    report("cron", `cron: expected ${CRON_EXPECTED}; got ${describe(text)}: ${reason}`);
    return undefined;
  }
  // The zone does not matter for whether there is any time at all.
  if (nextTime({ type: "cron", cron: cron.text, tz: zone?.name ?? "UTC" }, nowMs, 0) === null) {
    report("cron", `cron: ${describe(text)} never comes: no day is like that`);
    return undefined;
  }
  return zone === undefined ? undefined : { type: "cron", cron: cron.text, tz: zone.name };
}

/** One of a few words; the first when none is given. */
function parseWord<W extends string>(
  fields: Record<string, unknown>,
  field: string,
  words: readonly W[],
  report: Report,
): W {
  const found = fields[field];
  const parsed = found === undefined ? { value: words[0]! } : parseChoice(found, words);
  if ("value" in parsed) return parsed.value;
  report(field, `${field}: ${parsed.problem}`);
  return words[0]!;
}

function parseJob(
  job: unknown,
  context: ParseContext,
  problems: Problem[],
): string | undefined {
  if (job === undefined) {
    const detail = 'job: missing; expected a job such as {"command":"./backup.sh"}';
    problems.push({ detail, pointer: "/job" });
    return undefined;
  }
  if (typeof job === "object" && job !== null) {
    for (const field of NOT_IN_SCHEDULES) {
      if (!Object.hasOwn(job, field)) continue;
      const detail = `job: a schedule's jobs cannot have ${describe(field)}`;
      problems.push({ detail, pointer: `/job/${field}` });
    }
  }
  try {
    const { kind, maxRetries, timeoutMs } = parseNewJob(job, context, "/job");
    const isCommand = kind === "command" && context.cwd !== null;
    return JSON.stringify({
      ...(isCommand ? { cwd: context.cwd } : {}),
      ...(timeoutMs === null ? {} : { timeout: formatDuration(timeoutMs) }),
      max_retries: maxRetries,
      ...job as Record<string, unknown>,
    });
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}
