/** Reads NDJSON: one JSON value on each line; blank lines are skipped. */
import { parseJsonText } from "../http/json_text.ts";
import { MalformedInputError } from "../job/errors.ts";

export interface JsonLine {
  /** Counted from 1. */
  readonly line: number;
  readonly value: unknown;
}

/**
 * The values with their lines, and the lines that are not JSON with what is wrong with them.
 *
 * @throws {MalformedInputError} when the bytes are not UTF-8.
 */
export function readJsonLines(
  bytes: Uint8Array,
): { values: JsonLine[]; malformed: { line: number; detail: string }[] } {
  const values: JsonLine[] = [];
  const malformed: { line: number; detail: string }[] = [];
  for (const [index, text] of decode(bytes).split("\n").entries()) {
    if (text.trim() === "") continue;
    const line = index + 1;
    try {
      values.push({ line, value: parseJsonText(text, `line ${line}`) });
    } catch (error) {
      if (!(error instanceof MalformedInputError)) throw error;
      malformed.push({ line, detail: error.message.replace(" at line 1, column ", " at column ") });
    }
  }
  return { values, malformed };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new MalformedInputError("expected UTF-8 text on stdin, got other bytes");
  }
}
