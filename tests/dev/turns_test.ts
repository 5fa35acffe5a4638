/** What suites print that run side by side. */
import assert from "node:assert/strict";
import { Turns } from "../../src/dev/turns.ts";

Deno.test("who began first is heard at once, the others when those before them have ended", () => {
  let heard = "";
  const turns = new Turns((text) => heard += text);
  const [one, two, three] = [turns.begin(), turns.begin(), turns.begin()];
  two.write("two a, ");
  three.write("three, ");
  three.end();
  one.write("one a, ");
  assert.equal(heard, "one a, ");
  one.write("one b, ");
  one.end();
  assert.equal(heard, "one a, one b, two a, ");
  two.write("two b, ");
  assert.equal(heard, "one a, one b, two a, two b, ");
  two.end();
  assert.equal(heard, "one a, one b, two a, two b, three, ");
  turns.begin().write("four");
  assert.equal(heard, "one a, one b, two a, two b, three, four");
});

Deno.test("an end that comes too early leaves nothing untold", () => {
  let heard = "";
  const turns = new Turns((text) => heard += text);
  turns.begin().write("one, ");
  turns.begin().write("two");
  turns.flush();
  turns.flush();
  assert.equal(heard, "one, two");
});
