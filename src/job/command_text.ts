/** Commands as people write them. Owns how words are quoted for a shell. */
import type { Payload } from "./job.ts";

/** The command of a payload, or null when the payload is not one. */
export function commandText(payload: Payload): string | null {
  if (typeof payload !== "string") return null;
  const { command } = (JSON.parse(payload) ?? {}) as { command?: string | string[] };
  if (Array.isArray(command)) return command.map(quoteWord).join(" ");
  return command ?? null;
}

/** The word so that a shell takes it as one. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
