/**
 * A field of JSON: how it is read, and beside that the same rule as JSON Schema (2020-12), for
 * documentation and for clients. Pure.
 *
 * Invariant: the parser decides, and the schema is no stricter on anything that callers mean to
 * write; it may accept more where a rule is none of a schema's, such as that a day is in the calendar.
 */
import {
  parseChoice,
  type Parsed,
  parseDurationField,
  parseInteger,
  parseText,
} from "./parse_values.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Field<T> {
  readonly parse: (value: unknown) => Parsed<T>;
  readonly schema: JsonSchema;
}

/** The field with words on what it means. */
export function described<T>({ parse, schema }: Field<T>, description: string): Field<T> {
  return { parse, schema: { ...schema, description } };
}

export function integerField(least: number, most: number): Field<number> {
  return {
    parse: (value) => parseInteger(value, least, most),
    schema: { type: "integer", minimum: least, maximum: most },
  };
}

/** Text such as `30s`, or a number of seconds; read as milliseconds. */
export function durationField(leastMs: number, mostMs: number): Field<number> {
  return {
    parse: (value) => parseDurationField(value, leastMs, mostMs),
    schema: durationSchema(leastMs, mostMs),
  };
}

/** What {@link durationField} reads. */
export function durationSchema(leastMs: number, mostMs: number): JsonSchema {
  return {
    anyOf: [
      { type: "string", pattern: DURATION },
      { type: "number", minimum: leastMs / 1_000, maximum: mostMs / 1_000 },
    ],
    examples: ["30s"],
  };
}

const DURATION = String.raw`^\s*\d{1,15}(\.\d{1,6})?(ms|s|m|h|d)\s*$`;

/** Text without control characters. */
export function textField(most: number): Field<string> {
  return {
    parse: (value) => parseText(value, most),
    schema: {
      type: "string",
      minLength: 1,
      maxLength: most,
      pattern: String.raw`^[^\u0000-\u001f\u007f]*$`,
    },
  };
}

export function choiceField<T extends string>(choices: readonly T[]): Field<T> {
  return {
    parse: (value) => parseChoice(value, choices),
    schema: { type: "string", enum: choices },
  };
}
