/**
 * Reading single values out of something unknown. Owns how a value that does not fit is described;
 * knows no job.
 */
import { DURATION_EXPECTED, formatDuration, parseDuration } from "../lib/duration.ts";
import { InvalidInputError } from "./errors.ts";

/** The outcome of reading one field: the value, or what is wrong. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export function parseInteger(value: unknown, least: number, most: number): Parsed<number> {
  const isInRange = Number.isInteger(value) && (value as number) >= least &&
    (value as number) <= most;
  if (isInRange) return { value: value as number };
  return { problem: `expected a whole number from ${least} to ${most}, got ${describe(value)}` };
}

export function parseDurationField(
  value: unknown,
  leastMs: number,
  mostMs: number,
): Parsed<number> {
  const ms = typeof value === "string"
    ? parseDuration(value)
    : typeof value === "number"
    ? Math.round(value * 1_000)
    : null;
  if (ms === null || Number.isNaN(ms)) {
    return { problem: expectedDuration(value) };
  }
  if (ms >= leastMs && ms <= mostMs) return { value: ms };
  const range = `between ${formatDuration(leastMs)} and ${formatDuration(mostMs)}`;
  return { problem: `expected ${range}, got ${describe(value)}` };
}

/** What is wrong with what is no duration. A text that is a bare number is told of its unit. */
export function expectedDuration(value: unknown): string {
  const orNumber = typeof value === "string" ? "" : ", or a number of seconds";
  return `expected ${DURATION_EXPECTED}${orNumber}, got ${describe(value)}`;
}

/** Text of at least one character without control characters. */
export function parseText(value: unknown, most: number): Parsed<string> {
  const isText = typeof value === "string" && value.length > 0 && value.isWellFormed() &&
    // deno-lint-ignore no-control-regex
    !/[\u0000-\u001f\u007f]/.test(value);
  if (isText && value.length <= most) return { value };
  return {
    problem: `expected 1 to ${most} characters, none of them a control character, got ` +
      describe(value),
  };
}

/** One of a few words. */
export function parseChoice<T extends string>(value: unknown, choices: readonly T[]): Parsed<T> {
  if (typeof value === "string" && (choices as readonly string[]).includes(value)) {
    return { value: value as T };
  }
  const expected = choices.map((choice) => JSON.stringify(choice)).join(", ");
  return { problem: `expected one of ${expected}, got ${describe(value)}` };
}

/** Whether a payload is what JSON calls an object; bytes are none. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}

/**
 * The fields of an input that has to be an object.
 *
 * @throws {InvalidInputError} when it is something else.
 */
export function fieldsOf(input: unknown, expected = "a JSON object"): Record<string, unknown> {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) {
    return input as Record<string, unknown>;
  }
  const detail = `expected ${expected}, got ${describe(input)}`;
  throw new InvalidInputError([{ detail, pointer: "" }]);
}

/** What was found, in few words: never the whole of a large value. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return quote(value);
  return String(value);
}

export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
