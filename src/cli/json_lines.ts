/**
 * Reads jobs from stdin: NDJSON, one JSON value on each line, where blank lines are skipped; or one
 * document over several lines.
 */
import { parseJsonText } from "../http/json_text.ts";
import { MalformedInputError } from "../job/errors.ts";

export interface JsonLine {
  /** Counted from 1. */
  readonly line: number;
  readonly value: unknown;
}

/**
 * The jobs of a text that is one JSON document: an array, or an object over several lines.
 * Null: it is something else.
 *
 * @throws {MalformedInputError} for an array that does not end, or the like.
 */
export function readDocument(text: string): readonly unknown[] | null {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) return parseJsonText(text, "the text on stdin") as unknown[];
  if (!trimmed.includes("\n")) return null;
  try {
    return [JSON.parse(trimmed)];
  } catch {
    return null;
  }
}

/** The values with their lines, and the lines that are not JSON with what is wrong with them. */
export function readJsonLines(
  text: string,
): { values: JsonLine[]; malformed: { line: number; detail: string }[] } {
  const values: JsonLine[] = [];
  const malformed: { line: number; detail: string }[] = [];
  for (const [index, row] of text.split("\n").entries()) {
    if (row.trim() === "") continue;
    const line = index + 1;
    try {
      values.push({ line, value: parseJsonText(row, `line ${line}`) });
    } catch (error) {
      if (!(error instanceof MalformedInputError)) throw error;
      malformed.push({ line, detail: error.message.replace(" at line 1, column ", " at column ") });
    }
  }
  return { values, malformed };
}

/** @throws {MalformedInputError} when the bytes are not UTF-8. */
export function decodeStdin(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new MalformedInputError("expected UTF-8 text on stdin, got other bytes");
  }
}
