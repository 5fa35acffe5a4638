/**
 * A line of words as a shell would read it, without anything else that a shell does. Pure text.
 */

/**
 * The words of a line: separated by spaces; 'single' and "double" quotes and a backslash keep what
 * they hold together. Null: a quote is not closed.
 *
 * @example
 * ```ts
 * import { splitWords } from "./words.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(splitWords(`python3 'my handler.py' -x`), ["python3", "my handler.py", "-x"]);
 * ```
 */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!;
    if (quote !== "") {
      if (character === quote) quote = "";
      else if (character === "\\" && quote === '"' && /["\\$`]/.test(line[index + 1] ?? "")) {
        word += line[++index]!;
      } else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (character === "\\" && index + 1 < line.length) {
      word = (word ?? "") + line[++index]!;
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== "") return null;
  if (word !== null) words.push(word);
  return words;
}
