/**
 * Query parameters, read like the fields of a body: every problem at once, and a parameter that
 * does not exist is one.
 */
import { InvalidInputError, type Problem } from "../job/errors.ts";
import { describe } from "../job/parse.ts";

/** Turns a parameter's text into its value, or says what is wrong: "expected …". */
export type ParameterParser<T> = (text: string) => { value: T } | { expected: string };

type Values<P extends Record<string, ParameterParser<unknown>>> = {
  -readonly [K in keyof P]?: Extract<ReturnType<P[K]>, { value: unknown }>["value"];
};

/**
 * The parameters' values; those that are missing or empty are left out.
 *
 * @throws {InvalidInputError} with every problem.
 */
export function parseQuery<P extends Record<string, ParameterParser<unknown>>>(
  query: string,
  parsers: P,
): Values<P> {
  const values: Record<string, unknown> = {};
  if (query === "") return values as Values<P>;
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [name, text] of new URLSearchParams(query)) {
    const pointer = `/${name.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const parse = Object.hasOwn(parsers, name) ? parsers[name] : undefined;
    if (parse === undefined) {
      const known = Object.keys(parsers).join(", ") || "none";
      const detail = `there is no parameter ${describe(name)}; the parameters are: ${known}`;
      problems.push({ detail, pointer });
    } else if (seen.has(name)) {
      problems.push({ detail: `${name}: expected once, got more than one`, pointer });
    } else if (text !== "") {
      const parsed = parse(text);
      if ("value" in parsed) values[name] = parsed.value;
      else problems.push({ detail: `${name}: ${parsed.expected}, got ${describe(text)}`, pointer });
    }
    seen.add(name);
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  return values as Values<P>;
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): ParameterParser<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most
      ? { value }
      : { expected: `expected a whole number from ${least} to ${most}` };
  };
}
