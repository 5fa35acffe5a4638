/** Commands as people write them. Owns how words are quoted for a shell. */
import type { Payload } from "./job.ts";

/** All but the tab and the end of a line. */
// deno-lint-ignore no-control-regex -- control characters are what this is about
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/;
const ALL_CONTROL = new RegExp(CONTROL, "g");

/** The command of a payload, or null when the payload is not one. */
export function commandText(payload: Payload): string | null {
  if (typeof payload !== "string") return null;
  const { command } = (JSON.parse(payload) ?? {}) as { command?: string | string[] };
  if (Array.isArray(command)) return command.map(quoteWord).join(" ");
  return command ?? null;
}

/**
 * The word so that a shell takes it as one. Control characters, which could do something to the
 * terminal that it is pasted into, are written as escapes, which all but the simplest shells know.
 */
export function quoteWord(word: string): string {
  if (CONTROL.test(word)) {
    const escaped = word.replace(/[\\']/g, "\\$&")
      .replace(ALL_CONTROL, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
    return `$'${escaped}'`;
  }
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
