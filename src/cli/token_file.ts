/** The token that API requests carry, from its file. It is never printed or logged. */
import { readProblem } from "../lib/error_message.ts";
import { UsageError } from "./exit.ts";

const LEAST_CHARACTERS = 16;

/**
 * The token in the file, without the white space around it.
 *
 * @throws {UsageError} when it cannot be read or is too easy to guess.
 */
export function readToken(path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read the token file ${path}: ${readProblem(error)}`);
  }
  const token = text.trim();
  if (/\s/.test(token)) {
    throw new UsageError(`the token in ${path}: expected one word, got several`);
  }
  const { length } = token;
  if (length < LEAST_CHARACTERS) {
    throw new UsageError(
      `the token in ${path}: expected at least ${LEAST_CHARACTERS} characters, got ${length}`,
    );
  }
  return token;
}
