/** Proves how the handlers of a user are named on the command line, and what is refused. */
import assert from "node:assert/strict";
import {
  commandProgram,
  HandlerError,
  moduleProgram,
  userHandlers,
} from "../../src/handlers/program.ts";
import { splitWords } from "../../src/lib/words.ts";

Deno.test("words are split as a shell would, without anything else that a shell does", () => {
  const cases: [string, string[] | null][] = [
    ["python3 handler.py", ["python3", "handler.py"]],
    ["  a   b  ", ["a", "b"]],
    [`a 'b c' "d e"`, ["a", "b c", "d e"]],
    [`a'b'"c"d`, ["abcd"]],
    [`'' ""`, ["", ""]],
    [String.raw`a\ b "c\"d" 'e\f' "g\h"`, ["a b", 'c"d', "e\\f", "g\\h"]],
    ["$HOME *.py `x` | y", ["$HOME", "*.py", "`x`", "|", "y"]],
    ["", []],
    ["a 'b", null],
    ['a "b', null],
  ];
  for (const [line, words] of cases) assert.deepEqual(splitWords(line), words, line);
});

Deno.test("kind=command names a program and its kinds", () => {
  const { kinds, program } = commandProgram("resize, crop=sh -c 'exec cat'", "/tmp");
  assert.deepEqual(kinds, ["resize", "crop"]);
  assert.deepEqual(program.words, ["sh", "-c", "exec cat"]);
  assert.deepEqual([program.name, program.cwd], ["sh -c 'exec cat'", "/tmp"]);
});

Deno.test("what cannot be a handler is refused with the reason", () => {
  const cases: [string, RegExp][] = [
    ["python3 x.py", /expected kind=command/],
    ["=sh", /expected a kind of 1 to 64 characters .* got ""/],
    ["a b=sh", /expected a kind .* got "a b"/],
    ["count=sh", /the kind "count" is built in/],
    ["http=sh", /the kind "http" is built in/],
    ["a=", /expected a command after the =/],
    ["a=sh 'x", /a quote is not closed/],
    ["a=no-such-program-anywhere x", /there is no program "no-such-program-anywhere"/],
    ["a=./no-such-file", /there is no program "\.\/no-such-file"/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => commandProgram(text, "/tmp"), (error) => {
      assert.ok(error instanceof HandlerError);
      assert.match(error.message, message);
      return true;
    }, text);
  }
  assert.throws(() => moduleProgram("./nope.ts", "/tmp"), /there is no file "\.\/nope\.ts"/);
});

Deno.test("two handlers of one kind are refused", () => {
  const one = commandProgram("a,b=sh one", "/tmp");
  const other = commandProgram("c,b=sh other", "/tmp");
  assert.throws(
    () => userHandlers([one, other]),
    /the kind "b" has two handlers: "sh one" and "sh other"/,
  );
  assert.deepEqual(userHandlers([one]).kinds, { a: 0, b: 0 });
});
