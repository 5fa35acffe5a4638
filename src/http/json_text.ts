/**
 * JSON from bytes, with the place where it stops being JSON. The runtime's own parser does the
 * work; only for a text that it refuses is the place looked for, because its messages name one for
 * some mistakes and none for others.
 */
import { MalformedInputError } from "../job/errors.ts";
import { decodeUtf8 } from "./utf8.ts";

/**
 * The value that the bytes spell.
 *
 * @throws {MalformedInputError} naming `what`, the line, the column and what was expected there.
 */
export function parseJsonBytes(bytes: Uint8Array, what: string): unknown {
  return parseJsonText(decodeUtf8(bytes, what), what);
}

/** Like {@link parseJsonBytes}, from text. */
export function parseJsonText(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { offset, expected } = findJsonMistake(text);
    const before = text.slice(0, offset).split("\n");
    const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    const found = offset >= text.length ? "the end" : JSON.stringify(characterAt(text, offset));
    throw new MalformedInputError(
      `${what} is not JSON: expected ${expected} at ${place}, found ${found}`,
    );
  }
}

interface Mistake {
  /** In UTF-16 units; the text's length when the text ends too early. */
  readonly offset: number;
  readonly expected: string;
}

/** What may come next, between two tokens. */
type Expectation = "value" | "value or ]" | "name or }" | "name" | "colon" | "more" | "end";

const EXPECTED: Readonly<Record<Expectation, string>> = {
  "value": "a value",
  "value or ]": 'a value or "]"',
  "name or }": 'a name in quotes or "}"',
  "name": "a name in quotes",
  "colon": '":"',
  "more": '"," or the closing bracket',
  "end": "nothing more",
};

/** The first place where a text that is not JSON (RFC 8259) goes wrong. */
export function findJsonMistake(text: string): Mistake {
  const open: ("{" | "[")[] = [];
  let expectation: Expectation = "value";
  let index = 0;
  const afterValue = (): Expectation => open.length === 0 ? "end" : "more";
  while (true) {
    index = skip(text, index, " \t\n\r");
    const character = text[index];
    const mistake = { offset: index, expected: EXPECTED[expectation] };
    if (character === undefined) return mistake;
    switch (expectation) {
      case "end":
        return mistake;
      case "colon":
        if (character !== ":") return mistake;
        expectation = "value";
        index++;
        continue;
      case "more":
        if (character === (open.at(-1) === "{" ? "}" : "]")) {
          open.pop();
          expectation = afterValue();
        } else if (character === ",") expectation = open.at(-1) === "{" ? "name" : "value";
        else return mistake;
        index++;
        continue;
      case "name or }":
      case "name": {
        if (character === "}" && expectation === "name or }") {
          open.pop();
          expectation = afterValue();
          index++;
          continue;
        }
        if (character !== '"') return mistake;
        const end = scanString(text, index);
        if (typeof end !== "number") return end;
        index = end;
        expectation = "colon";
        continue;
      }
      default: {
        if (character === "]" && expectation === "value or ]") {
          open.pop();
          expectation = afterValue();
          index++;
        } else if (character === "{" || character === "[") {
          open.push(character);
          expectation = character === "{" ? "name or }" : "value or ]";
          index++;
        } else {
          const end = character === '"' ? scanString(text, index) : scanWord(text, index);
          if (typeof end !== "number") return end ?? mistake;
          index = end;
          expectation = afterValue();
        }
      }
    }
  }
}

/** The end of the string that starts at this quote, or what is wrong in it. */
function scanString(text: string, start: number): number | Mistake {
  let index = start + 1;
  while (index < text.length) {
    const character = text[index]!;
    if (character === '"') return index + 1;
    if (character < " ") {
      return { offset: index, expected: "a control character to be escaped in a string" };
    }
    if (character === "\\") {
      const escape = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
      escape.lastIndex = index;
      if (!escape.test(text)) {
        return { offset: index, expected: 'an escape such as \\n, \\" or \\u00e9' };
      }
      index = escape.lastIndex;
    } else index++;
  }
  return { offset: text.length, expected: "a closing quote" };
}

/** The end of the number or word that starts here; null when there is none. */
function scanWord(text: string, start: number): number | null {
  const word = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  word.lastIndex = start;
  return word.test(text) ? word.lastIndex : null;
}

function skip(text: string, start: number, characters: string): number {
  let index = start;
  while (index < text.length && characters.includes(text[index]!)) index++;
  return index;
}

function characterAt(text: string, offset: number): string {
  return String.fromCodePoint(text.codePointAt(offset)!);
}
