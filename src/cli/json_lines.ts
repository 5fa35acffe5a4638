/** Reads NDJSON: one JSON value on each line; blank lines are skipped. */
import { InvalidInputError, MalformedInputError, type Problem } from "../job/errors.ts";

/**
 * The values with their line numbers, counted from 1.
 *
 * @throws {MalformedInputError} when the bytes are not UTF-8.
 * @throws {InvalidInputError} naming every line that is not JSON.
 */
export function readJsonLines(bytes: Uint8Array): { line: number; value: unknown }[] {
  const values: { line: number; value: unknown }[] = [];
  const problems: Problem[] = [];
  for (const [index, text] of decode(bytes).split("\n").entries()) {
    if (text.trim() === "") continue;
    const line = index + 1;
    try {
      values.push({ line, value: JSON.parse(text) });
    } catch (error) {
      problems.push({
        detail: `line ${line}: expected a JSON object: ${(error as Error).message}`,
        pointer: "",
      });
    }
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  return values;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new MalformedInputError("expected UTF-8 text on stdin, got other bytes");
  }
}
