/** What the words after `deno task test` mean. */
import assert from "node:assert/strict";
import { readRequest } from "../../src/dev/test_request.ts";

const ALL = ["system", "http", "unit"];

function namesOf(...words: string[]): string[] {
  const request = readRequest(words, ALL);
  assert.ok("suites" in request, JSON.stringify(request));
  return request.suites.map(({ name }) => name);
}

Deno.test("test runs all suites, those that are named, or all but those, in their own order", () => {
  assert.deepEqual(namesOf(), ALL);
  assert.deepEqual(namesOf("unit", "system"), ["system", "unit"]);
  assert.deepEqual(namesOf("--without", "http"), ["system", "unit"]);
});

Deno.test("test SUITE:FILTER keeps the colons of its filter; what stands after -- is passed on", () => {
  assert.deepEqual(readRequest(["--no-check", "http:a: b", "--", "--fail-fast", "x"], ALL), {
    suites: [{ name: "http", filter: "a: b" }],
    isChecked: false,
    passedOn: ["--fail-fast", "x"],
  });
});

Deno.test("test names every mistake at once", () => {
  assert.deepEqual(readRequest(["--nocheck", "unit", "htp:x", "toString"], ALL), {
    mistakes: [
      "no option --nocheck; expected --no-check or --without",
      "no test suite htp; expected some of system, http, unit",
      "no test suite toString; expected some of system, http, unit",
    ],
  });
});
