/** The token that API requests carry, from its file. It is never printed or logged. */
import { readProblem } from "../lib/error_message.ts";
import { UsageError } from "./exit.ts";

/** With fewer characters than this a token can be guessed. */
const STRONG_CHARACTERS = 16;

/**
 * The token in the file, without the white space around it.
 *
 * @throws {UsageError} when it cannot be read, or is not one word.
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
  if (token === "") throw new UsageError(`the token in ${path}: expected one word, got nothing`);
  return token;
}

/** What is to be said of a token that can be guessed; null: nothing. */
export function describeWeakness(token: string, path: string): string | null {
  if (token.length >= STRONG_CHARACTERS) return null;
  return `the token in ${path} is short enough to be guessed: ${STRONG_CHARACTERS} random ` +
    "characters or more are safe";
}
