/** Finding where bytes stop being UTF-8 and text stops being JSON. */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { findJsonMistake, parseJsonText } from "../../src/http/json_text.ts";
import { decodeUtf8 } from "../../src/http/utf8.ts";
import { MalformedInputError } from "../../src/job/errors.ts";
import { firstInvalidByte, Utf8Scanner } from "../../src/lib/utf8.ts";

// Bytes at the borders of what may start and continue a character.
const border = fc.constantFrom(
  ...[0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec],
  ...[0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff],
);

Deno.test("firstInvalidByte() finds a mistake exactly where the runtime sees one (20,000 texts)", () => {
  fc.assert(
    fc.property(fc.array(border, { maxLength: 6 }), (list) => {
      const bytes = Uint8Array.from(list);
      const offset = firstInvalidByte(bytes);
      assert.equal(offset === -1, isUtf8(bytes), `${list} at ${offset}`);
      if (offset !== -1) assert.ok(isUtf8(bytes.subarray(0, offset)), `${list} at ${offset}`);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("a text that comes in pieces goes wrong at the same byte as in one (20,000 texts)", () => {
  const piece = fc.array(border, { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const scanner = new Utf8Scanner();
      for (const one of pieces) scanner.push(Uint8Array.from(one));
      const bytes = Uint8Array.from(pieces.flat());
      const offset = firstInvalidByte(bytes);
      assert.deepEqual(scanner.end(), offset === -1 ? null : { offset, value: bytes[offset]! });
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("decodeUtf8() leaves out a byte-order mark", () => {
  assert.equal(decodeUtf8(new TextEncoder().encode("\ufeff{}"), "the body"), "{}");
});

Deno.test("findJsonMistake() points at where a valid text was broken (5,000 texts)", () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.nat(),
      fc.constantFrom("\u0001", "§", "}", ""),
      (json, at, broken) => {
        const offset = at % (json.length + 1);
        const text = broken === "" ? json.slice(0, offset) : json.slice(0, offset) + broken +
          json.slice(offset);
        try {
          JSON.parse(text);
        } catch {
          const mistake = findJsonMistake(text);
          // What stands before the mistake can be the beginning of a JSON text: the break is not
          // noticed before it was made.
          assert.ok(
            mistake.offset >= Math.min(offset, text.length) - 6,
            `${text} at ${mistake.offset}`,
          );
          assert.ok(mistake.offset <= text.length);
        }
      },
    ),
    { numRuns: 5_000 },
  );
});

const MISTAKES: [text: string, says: string][] = [
  ["", "expected a value at line 1, column 1, found the end"],
  ["[1,]", 'expected a value at line 1, column 4, found "]"'],
  ["{\n  'a': 1}", 'expected a name in quotes or "}" at line 2, column 3, found "\'"'],
  ['{"a" 1}', 'expected ":" at line 1, column 6, found "1"'],
  ["[1 2]", 'expected "," or the closing bracket at line 1, column 4, found "2"'],
  ["01", 'expected nothing more at line 1, column 2, found "1"'],
  ["1 👋", 'expected nothing more at line 1, column 3, found "👋"'],
  ['"abc', "expected a closing quote at line 1, column 5, found the end"],
  ["nul", 'expected a value at line 1, column 1, found "n"'],
];
for (const [text, says] of MISTAKES) {
  Deno.test(`parseJsonText() of ${JSON.stringify(text)}: ${says}`, () => {
    assert.throws(() => parseJsonText(text, "the body"), (error) => {
      assert.ok(error instanceof MalformedInputError);
      assert.equal(error.message, `the body is not JSON: ${says}`);
      return true;
    });
  });
}
