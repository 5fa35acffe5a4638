/** Proves which keys of requests are understood. */
import assert from "node:assert/strict";
import { parseKey } from "../../src/http/idempotency.ts";
import { MalformedInputError } from "../../src/job/errors.ts";

for (
  const [header, key] of [
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ["8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"],
    [' "with space, and comma" ', "with space, and comma"],
    [String.raw`"a \"quote\" and a \\"`, 'a "quote" and a \\'],
    ["x".repeat(255), "x".repeat(255)],
  ] as const
) {
  Deno.test(`Idempotency-Key ${header.slice(0, 50)} is understood`, () => {
    assert.equal(parseKey(header), key);
  });
}

for (
  const header of [
    ...["", '""', '"open', 'end"', 'a"b', "a, b", "a b", '"a", "b"', "ü", '"ü"', '"a"; p=1'],
    ...[String.raw`"a\b"`, "x".repeat(256), `"${"x".repeat(256)}"`],
  ]
) {
  Deno.test(`Idempotency-Key ${JSON.stringify(header.slice(0, 20))} is refused`, () => {
    assert.throws(() => parseKey(header), (error) => {
      assert.ok(error instanceof MalformedInputError);
      assert.match(error.message, /^Idempotency-Key: expected one key .* got "/);
      return true;
    });
  });
}
