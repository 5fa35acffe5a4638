/** Proves the limits and words of `job/job.ts` and `job/errors.ts`. */
import assert from "node:assert/strict";
import {
  ConflictError,
  InvalidInputError,
  JobNotFoundError,
  MalformedInputError,
  QueueError,
  StoreUnavailableError,
  TooLargeError,
} from "../../src/job/errors.ts";
import { ERROR_CODES, LIMITS } from "../../src/job/job.ts";

Deno.test("every limit is a whole number above 0", () => {
  for (const [name, limit] of Object.entries(LIMITS)) {
    assert.ok(Number.isSafeInteger(limit) && limit > 0, `${name} is ${limit}`);
  }
  assert.ok(LIMITS.listPageDefault <= LIMITS.listPage);
});

Deno.test("a command at its limit still fits the kernel's 128 KiB for one argument", () => {
  assert.equal(LIMITS.commandBytes + 1, 131_072);
});

Deno.test("every code of an attempt's error is explained", () => {
  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    assert.match(code, /^[a-z]+$/);
    assert.ok(meaning.length > 10, code);
  }
});

Deno.test("every error of the domain carries its stable code", () => {
  const codes = [
    [new MalformedInputError("x"), "malformed"],
    [new InvalidInputError([{ detail: "x", pointer: "" }]), "invalid"],
    [new JobNotFoundError("x"), "not-found"],
    [new ConflictError("x"), "conflict"],
    [new TooLargeError("x"), "too-large"],
    [new StoreUnavailableError("x"), "store-unavailable"],
  ] as const;
  for (const [error, code] of codes) {
    assert.ok(error instanceof QueueError);
    assert.equal(error.code, code);
  }
});

Deno.test("InvalidInputError says every problem in its message", () => {
  const error = new InvalidInputError([
    { detail: "first", pointer: "/a" },
    { detail: "second", pointer: "/b" },
  ]);
  assert.equal(error.message, "first; second");
});

Deno.test("JobNotFoundError quotes the id, so that control characters cannot reach a terminal", () => {
  assert.equal(
    new JobNotFoundError("a\x1b[1m").message,
    'there is no job with the id "a\\u001b[1m"',
  );
});
