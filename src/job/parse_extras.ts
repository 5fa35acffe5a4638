/**
 * The fields that few jobs have: what they wait for, how they are retried, where their outcome goes.
 * Owns the rules on these fields; `parse.ts` puts the job together.
 */
import { type Backoff, LIMITS, type RetryPolicy } from "./job.ts";
import {
  describe,
  parseChoice,
  type Parsed,
  parseDurationField,
  parseInteger,
  quote,
} from "./parse_values.ts";
import { durationSchema, type JsonSchema } from "./field.ts";
import { parseDuration } from "../lib/duration.ts";

const ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** One id, an array of them, or a text with commas between them; each once. */
export function parseAfter(value: unknown): Parsed<readonly string[]> {
  const ids = typeof value === "string" ? value.split(",").map((id) => id.trim()) : value;
  const isList = Array.isArray(ids) && ids.length >= 1 && ids.length <= LIMITS.dependencies;
  if (!isList) {
    return {
      problem: `expected a job's id, or an array of 1 to ${LIMITS.dependencies} of them, got ` +
        describe(value),
    };
  }
  const wrong = ids.find((id) => typeof id !== "string" || !ID.test(id));
  if (wrong !== undefined) return { problem: `expected the ids of jobs, got ${describe(wrong)}` };
  return { value: [...new Set(ids as string[])] };
}

/** An address of http or https without a user name in it. */
export function parseUrl(value: unknown): Parsed<string> {
  const url = typeof value === "string" && value.length <= LIMITS.urlLength
    ? URL.parse(value)
    : null;
  const isHttp = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  if (isHttp && url.username === "" && url.password === "") return { value: url.href };
  return {
    problem: `expected an http or https URL of at most ${LIMITS.urlLength} characters, without ` +
      `a user name, got ${describe(value)}`,
  };
}

const BACKOFF_EXPECTED = '"exponential", "linear:10s", "fixed:5s", a list of durations such as ' +
  '"1s,5s,30s", or an object with a type, delay or base, and cap';
const BACKOFF_TYPES = ["exponential", "linear", "fixed"] as const;

/** As {@link parseBackoff} reads it. */
export const BACKOFF_SCHEMA: JsonSchema = {
  anyOf: [
    { type: "string", minLength: 1 },
    {
      type: "array",
      items: durationSchema(0, LIMITS.delayMs),
      minItems: 1,
      maxItems: LIMITS.retryList,
    },
    {
      type: "object",
      properties: {
        type: { const: "exponential" },
        base: { type: "number", exclusiveMinimum: 0, maximum: 1_000 },
        cap: durationSchema(1, LIMITS.delayMs),
      },
      required: ["type"],
      additionalProperties: false,
    },
    {
      type: "object",
      properties: {
        type: { const: "linear" },
        delay: durationSchema(0, LIMITS.delayMs),
        cap: durationSchema(1, LIMITS.delayMs),
      },
      required: ["type"],
      additionalProperties: false,
    },
    {
      type: "object",
      properties: { type: { const: "fixed" }, delay: durationSchema(0, LIMITS.delayMs) },
      required: ["type"],
      additionalProperties: false,
    },
  ],
  description: "How the waits between attempts grow: exponential[:BASE], linear[:DELAY], " +
    "fixed[:DELAY], a list of durations, or an object.",
  examples: ["1s,10s,1m"],
};

/** One of those that {@link parseExitCodes} reads. */
export const EXIT_CODE_SCHEMA: JsonSchema = { type: "integer", minimum: 1, maximum: 255 };

/** Of `linear` and `fixed` where nothing else is said: as long as the first exponential delay. */
const DEFAULT_DELAY_MS = 2_000;

/**
 * How the delays between attempts grow: a text as people write it on a command line (`linear:10s`,
 * `exponential:3`, `1s,5s,30s`), an object (`{"type": "linear", "delay": "10s", "cap": "1h"}`), or a
 * list (`["1s", 5, "1m"]`).
 */
export function parseBackoff(value: unknown): Parsed<Backoff> {
  if (Array.isArray(value)) return parseDelays(value);
  if (typeof value === "string" && parseDuration(value.split(",")[0]!) !== null) {
    return parseDelays(value.split(","));
  }
  const given = typeof value === "string" ? backoffFromText(value) : value;
  if (typeof given !== "object" || given === null) {
    return { problem: `expected ${BACKOFF_EXPECTED}, got ${describe(value)}` };
  }
  const { type, base, delay, cap, ...others } = given as Record<string, unknown>;
  const parsedType = parseChoice(type, BACKOFF_TYPES);
  if ("problem" in parsedType) {
    return { problem: `expected ${BACKOFF_EXPECTED}, got ${describe(type)}` };
  }
  const foreign = [
    ...Object.keys(others),
    ...(base !== undefined && type !== "exponential" ? ["base"] : []),
    ...(delay !== undefined && type === "exponential" ? ["delay"] : []),
    ...(cap !== undefined && type === "fixed" ? ["cap"] : []),
  ];
  if (foreign.length > 0) return { problem: `${type} knows no ${quote(foreign[0]!)}` };
  const capMs = cap === undefined ? undefined : parseDurationField(cap, 1, LIMITS.delayMs);
  if (capMs !== undefined && "problem" in capMs) return { problem: `cap: ${capMs.problem}` };
  const capped = capMs === undefined ? {} : { capMs: capMs.value };
  if (parsedType.value === "exponential") {
    const isBase = base === undefined || (typeof base === "number" && base > 0 && base <= 1_000);
    if (!isBase) return { problem: `base: expected a number above 0, got ${describe(base)}` };
    return { value: { type: "exponential", base: base as number ?? 2, ...capped } };
  }
  const delayMs = delay === undefined
    ? { value: DEFAULT_DELAY_MS }
    : parseDurationField(delay, 0, LIMITS.delayMs);
  if ("problem" in delayMs) return { problem: `delay: ${delayMs.problem}` };
  return parsedType.value === "linear"
    ? { value: { type: "linear", delayMs: delayMs.value, ...capped } }
    : { value: { type: "fixed", delayMs: delayMs.value } };
}

/** `word`, or `word:detail`: the delay, of an exponential one its base. */
function backoffFromText(text: string): Record<string, unknown> {
  const colon = text.indexOf(":");
  if (colon === -1) return { type: text };
  const type = text.slice(0, colon);
  const detail = text.slice(colon + 1);
  if (type !== "exponential") return { type, delay: detail };
  return { type, base: /^\d+(\.\d+)?$/.test(detail) ? Number(detail) : detail };
}

function parseDelays(values: readonly unknown[]): Parsed<Backoff> {
  if (values.length === 0 || values.length > LIMITS.retryList) {
    return { problem: `expected 1 to ${LIMITS.retryList} durations, got ${values.length}` };
  }
  const delaysMs: number[] = [];
  for (const value of values) {
    const parsed = parseDurationField(value, 0, LIMITS.delayMs);
    if ("problem" in parsed) return parsed;
    delaysMs.push(parsed.value);
  }
  return { value: { type: "list", delaysMs } };
}

/** Exit codes of a command: one, an array of them, or a text such as `75,111`. */
export function parseExitCodes(value: unknown): Parsed<readonly number[]> {
  const codes = typeof value === "number"
    ? [value]
    : typeof value === "string" && /^\d{1,9}(, *\d{1,9})*$/.test(value)
    ? value.split(",").map(Number)
    : value;
  if (!Array.isArray(codes) || codes.length === 0 || codes.length > LIMITS.retryList) {
    return {
      problem: `expected an array of 1 to ${LIMITS.retryList} exit codes, got ${describe(value)}`,
    };
  }
  for (const code of codes) {
    const parsed = parseInteger(code, 1, 255);
    if ("problem" in parsed) return { problem: `an exit code: ${parsed.problem}` };
  }
  return { value: [...new Set(codes as number[])] };
}

/** The policy that the fields say; undefined: that of every job. */
export function readRetryPolicy(
  { backoff, jitter, retry_on, max_age }: {
    readonly backoff?: Backoff;
    readonly jitter?: number;
    readonly retry_on?: readonly number[];
    readonly max_age?: number;
  },
  runAtMs: number,
): RetryPolicy | undefined {
  const isStandard = backoff === undefined && jitter === undefined && retry_on === undefined &&
    max_age === undefined;
  if (isStandard) return undefined;
  return {
    ...(backoff === undefined ? {} : { backoff }),
    ...(jitter === undefined ? {} : { jitter }),
    ...(retry_on === undefined ? {} : { exitCodes: retry_on }),
    ...(max_age === undefined ? {} : { maxAgeMs: max_age, untilMs: runAtMs + max_age }),
  };
}
