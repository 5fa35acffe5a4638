/** Options that are durations. */
import { DURATION_EXPECTED, parseDuration } from "../lib/duration.ts";
import type { Invocation } from "./command.ts";
import { UsageError } from "./exit.ts";

/** In milliseconds; undefined when it was not given. @throws {UsageError} */
export function durationOption({ options }: Invocation, name: string): number | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new UsageError(`--${name}: expected ${DURATION_EXPECTED}, got ${JSON.stringify(text)}`);
}
