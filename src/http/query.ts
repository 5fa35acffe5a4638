/**
 * Query parameters, read like the fields of a body: every problem at once, and a parameter that
 * does not exist is one.
 */
import { InvalidInputError, type Problem } from "../job/errors.ts";
import type { JsonSchema } from "../job/field.ts";
import { describe, ID_PATTERN, NAME_SCHEMA } from "../job/parse.ts";
import { isJobState, type JobState, STATES } from "../job/state.ts";

/** A parameter: how it is read, and what is said of it. */
export interface Parameter<T> {
  /** Turns its text into its value, or says what is wrong: "expected …". */
  readonly parse: (text: string) => { value: T } | { expected: string };
  /** Of its text, read as JSON where it is a number. */
  readonly schema: JsonSchema;
  readonly description: string;
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

type Values<P extends Parameters> = {
  -readonly [K in keyof P]?: Extract<ReturnType<P[K]["parse"]>, { value: unknown }>["value"];
};

/**
 * The parameters' values; those that are missing or empty are left out.
 *
 * @throws {InvalidInputError} with every problem.
 */
export function parseQuery<P extends Parameters>(query: string, parameters: P): Values<P> {
  const values: Record<string, unknown> = {};
  if (query === "") return values as Values<P>;
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [name, text] of new URLSearchParams(query)) {
    const pointer = `/${name.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (parameter === undefined) {
      const known = Object.keys(parameters).join(", ") || "none";
      const detail = `there is no parameter ${describe(name)}; the parameters are: ${known}`;
      problems.push({ detail, pointer });
    } else if (seen.has(name)) {
      problems.push({ detail: `${name}: expected once, got more than one`, pointer });
    } else if (text !== "") {
      const parsed = parameter.parse(text);
      if ("value" in parsed) values[name] = parsed.value;
      else problems.push({ detail: `${name}: ${parsed.expected}, got ${describe(text)}`, pointer });
    }
    seen.add(name);
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  return values as Values<P>;
}

/** A whole number within bounds. */
export function wholeNumber(
  least: number,
  most: number,
  description: string,
): Parameter<number> {
  return {
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      return value >= least && value <= most
        ? { value }
        : { expected: `expected a whole number from ${least} to ${most}` };
    },
    schema: { type: "integer", minimum: least, maximum: most },
    description,
  };
}

/** A name of 1 to 64 characters, or an id. */
export function nameParameter(description: string): Parameter<string> {
  return {
    parse: (text) =>
      ID_PATTERN.test(text)
        ? { value: text }
        : { expected: "expected a name of 1 to 64 characters of A-Z a-z 0-9 . _ : -" },
    schema: NAME_SCHEMA,
    description,
  };
}

/** One state, or several separated by commas. */
export const STATES_PARAMETER: Parameter<JobState[]> = {
  parse(text) {
    const words = text.split(",");
    return words.every(isJobState)
      ? { value: words }
      : { expected: `expected one or more of ${STATES.join(", ")} with commas between` };
  },
  schema: {
    type: "string",
    pattern: `^(${STATES.join("|")})(,(${STATES.join("|")}))*$`,
    examples: ["failed,dead"],
  },
  description: "Only jobs in this state, or in several with commas between.",
};

/** One of a few words. */
export function wordParameter<T extends string>(
  words: readonly T[],
  description: string,
): Parameter<T> {
  return {
    parse(text) {
      const value = words.find((word) => word === text);
      return value === undefined ? { expected: `expected one of ${words.join(", ")}` } : { value };
    },
    schema: { type: "string", enum: words },
    description,
  };
}
