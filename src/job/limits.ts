/**
 * What can be said of a queue: how many of its jobs run at once, how many start in a time, how many
 * of one key run at once. Owns the rules on these fields, from JSON and from the command line; every
 * problem at once.
 */
import { DURATION_EXPECTED, formatDuration, parseDuration } from "../lib/duration.ts";
import { InvalidInputError, type Problem } from "./errors.ts";
import { durationSchema, type JsonSchema } from "./field.ts";
import { describe, ID_PATTERN } from "./parse.ts";
import { fieldsOf, type Parsed } from "./parse_values.ts";
import type { RateLimit } from "./rate.ts";

/** Null: no limit. */
export interface QueueLimits {
  /** Jobs of the queue under a lease at any time, over all processes. */
  readonly maxRunning: number | null;
  readonly rate: RateLimit | null;
  /** Jobs of the queue with the same key under a lease at any time; those without a key are free. */
  readonly keyMaxRunning: number | null;
}

/** What a change says; what it leaves out stays as it is. */
export type LimitsChange = Partial<QueueLimits>;

/** How large limits may be. */
const MOST_JOBS = 1_000_000;
const LEAST_PERIOD_MS = 100;
const MOST_PERIOD_MS = 31 * 24 * 3_600_000;

/** What {@link parseRateText} accepts, for error messages. */
export const RATE_EXPECTED =
  "a number of jobs and a period such as 10/1m, 5/1s or 1000/1h, from 1 to 1000000 jobs in 100ms " +
  "to 31d";

const RATE_TEXT = /^\s*(\d{1,15})\s*\/\s*(\S+)\s*$/;

const COUNT_SCHEMA: JsonSchema = { type: ["integer", "null"], minimum: 1, maximum: MOST_JOBS };

const FIELDS = {
  max_running: {
    name: "maxRunning",
    parse: parseCount,
    schema: { ...COUNT_SCHEMA, description: "So many of its jobs run at once." },
  },
  rate: {
    name: "rate",
    parse: parseRate,
    schema: {
      anyOf: [
        { type: "string", pattern: RATE_TEXT.source, examples: ["10/1m"] },
        {
          type: "object",
          properties: {
            limit: { type: "integer", minimum: 1, maximum: MOST_JOBS },
            period: durationSchema(LEAST_PERIOD_MS, MOST_PERIOD_MS),
          },
          required: ["limit", "period"],
          additionalProperties: false,
        },
        { type: "null" },
      ],
      description: "So many of its jobs start in a time.",
    },
  },
  key_max_running: {
    name: "keyMaxRunning",
    parse: parseCount,
    schema: { ...COUNT_SCHEMA, description: "So many of its jobs with one key run at once." },
  },
} as const;

/** A change of limits as JSON, as {@link parseLimits} reads it. */
export const LIMITS_SCHEMA: JsonSchema = {
  type: "object",
  properties: Object.fromEntries(
    Object.entries(FIELDS).map(([name, { schema }]) => [name, schema]),
  ),
  additionalProperties: false,
  minProperties: 1,
};

export type LimitField = keyof typeof FIELDS;

/** How the caller calls things, for messages. */
export interface LimitWords {
  readonly label: (field: LimitField) => string;
  /** The word for "no limit". */
  readonly none: string;
}

const JSON_WORDS: LimitWords = { label: (field) => field, none: "null" };

/**
 * The change that the input describes: an object with some of the fields, null for "no limit".
 *
 * @throws {InvalidInputError} with every problem.
 */
export function parseLimits(
  input: unknown,
  { label, none }: LimitWords = JSON_WORDS,
): LimitsChange {
  const fields = Object.keys(FIELDS).join(", ");
  const given = fieldsOf(input, `a JSON object with some of ${fields}`);
  const problems: Problem[] = [];
  const change: { -readonly [K in keyof LimitsChange]: LimitsChange[K] } = {};
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(FIELDS, key)) {
      const pointer = `/${key.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const detail = `there is no field ${describe(key)}; the fields are ${fields}`;
      problems.push({ detail, pointer });
      continue;
    }
    const { name, parse } = FIELDS[key as LimitField];
    const parsed: Parsed<unknown> = value === null ? { value: null } : parse(value, none);
    if ("value" in parsed) change[name] = parsed.value as never;
    else {
      const detail = `${label(key as LimitField)}: ${parsed.problem}`;
      problems.push({ detail, pointer: `/${key}` });
    }
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  if (Object.keys(change).length === 0) {
    const detail = `expected at least one of ${
      Object.keys(FIELDS).map((key) => label(key as LimitField)).join(", ")
    }, got none`;
    throw new InvalidInputError([{ detail, pointer: "" }]);
  }
  return change;
}

/** `10/1m` as a rate; null when the text is not one. */
export function parseRateText(text: string): RateLimit | null {
  const match = RATE_TEXT.exec(text);
  // `10/m` is how many people write it.
  const period = match === null ? null : /^\d/.test(match[2]!) ? match[2]! : `1${match[2]}`;
  const periodMs = period === null ? null : parseDuration(period);
  if (match === null || periodMs === null) return null;
  const limit = Number(match[1]);
  return isCount(limit) && isPeriod(periodMs) ? { limit, periodMs } : null;
}

/** As {@link parseRateText} reads it. */
export function formatRate({ limit, periodMs }: RateLimit): string {
  return `${limit}/${formatDuration(periodMs)}`;
}

/** @throws {InvalidInputError} when no queue can be called that. */
export function assertQueueName(name: string): void {
  if (ID_PATTERN.test(name)) return;
  const detail = "expected a queue's name of 1 to 64 characters of A-Z a-z 0-9 . _ : -, got " +
    describe(name);
  throw new InvalidInputError([{ detail, pointer: "" }]);
}

function parseCount(value: unknown, none: string): Parsed<number> {
  if (isCount(value)) return { value };
  return {
    problem: `expected a whole number from 1 to ${MOST_JOBS}, or ${none}, got ${describe(value)}`,
  };
}

function parseRate(value: unknown, none: string): Parsed<RateLimit> {
  if (typeof value === "string") {
    const rate = parseRateText(value);
    return rate === null
      ? { problem: `expected ${RATE_EXPECTED}, or ${none}, got ${describe(value)}` }
      : { value: rate };
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) {
    return { problem: `expected {"limit": N, "period": "1m"}, or ${none}, got ${describe(value)}` };
  }
  const { limit, period, ...others } = value as Record<string, unknown>;
  const wrong: string[] = [];
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    wrong.push(`there is no field ${describe(unknown)}; the fields are limit, period`);
  }
  if (!isCount(limit)) {
    wrong.push(`limit: expected a whole number from 1 to ${MOST_JOBS}, got ${describe(limit)}`);
  }
  const periodMs = typeof period === "string"
    ? parseDuration(period)
    : typeof period === "number"
    ? Math.round(period * 1_000)
    : null;
  if (periodMs === null || !isPeriod(periodMs)) {
    wrong.push(
      `period: expected ${DURATION_EXPECTED}, or a number of seconds, from ` +
        `${formatDuration(LEAST_PERIOD_MS)} to ${formatDuration(MOST_PERIOD_MS)}, got ` +
        describe(period),
    );
  }
  if (wrong.length > 0) return { problem: wrong.join("; ") };
  return { value: { limit: limit as number, periodMs: periodMs! } };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_JOBS;
}

function isPeriod(ms: number): boolean {
  return ms >= LEAST_PERIOD_MS && ms <= MOST_PERIOD_MS;
}
