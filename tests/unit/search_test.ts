/** The language in which jobs are looked for. */
import assert from "node:assert/strict";
import { InvalidInputError } from "../../src/job/errors.ts";
import { parseSearch } from "../../src/job/search.ts";

const ACCEPTED: [text: string, terms: unknown[]][] = [
  ["", []],
  ["   ", []],
  ["timeout", [{ isNot: false, type: "word", where: "any", word: "timeout" }]],
  ['"two words"', [{ isNot: false, type: "word", where: "any", word: "two words" }]],
  ['error:"a \\"b\\" c"', [{ isNot: false, type: "word", where: "error", word: 'a "b" c' }]],
  ["-output:ok", [{ isNot: true, type: "word", where: "output", word: "ok" }]],
  ["state:dead,failed", [{ isNot: false, type: "state", states: ["dead", "failed"] }]],
  ["queue:mail kind:resize", [
    { isNot: false, type: "queue", name: "mail" },
    { isNot: false, type: "kind", name: "resize" },
  ]],
  ["payload.user.id:7", [{ isNot: false, type: "payload", path: ["user", "id"], value: "7" }]],
  ["id:01a2", [{ isNot: false, type: "id", prefix: "01a2" }]],
  ["before:2030-01-01", [
    { isNot: false, type: "created", isBefore: true, atMs: Date.UTC(2030, 0, 1) },
  ]],
  ["after:2030-01-01T10:00", [
    { isNot: false, type: "created", isBefore: false, atMs: Date.UTC(2030, 0, 1, 10) },
  ]],
  ['"http://x/y"', [{ isNot: false, type: "word", where: "any", word: "http://x/y" }]],
];

for (const [text, terms] of ACCEPTED) {
  Deno.test(`a search for ${JSON.stringify(text)} is understood`, () => {
    assert.deepEqual(parseSearch(text), terms);
  });
}

const REFUSED: [text: string, said: RegExp][] = [
  ["state:done", /expected one or more of pending, .*got "done"/],
  ["stat:dead", /no qualifier "stat"; they are state, queue/],
  ["before:yesterday", /expected a time such as/],
  ["before:2030-13-01", /expected a time such as/],
  ['""', /nothing/],
  ["x".repeat(1_001), /at most 1000 characters/],
  [Array(21).fill("x").join(" "), /at most 20 terms/],
];

for (const [text, said] of REFUSED) {
  Deno.test(`a search for ${JSON.stringify(text.slice(0, 20))} is refused`, () => {
    assert.throws(() => parseSearch(text), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.problems[0]!.detail, said);
      return true;
    });
  });
}

Deno.test("every problem of a search is told at once", () => {
  assert.throws(
    () => parseSearch("state:x nonsense:y"),
    (error) => error instanceof InvalidInputError && error.problems.length === 2,
  );
});
