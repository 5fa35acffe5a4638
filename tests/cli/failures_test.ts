/** Errors that nobody caught end a service in order instead of at once. */
import assert from "node:assert/strict";
import { catchFailures } from "../../src/cli/signals.ts";
import { inParallel } from "../../src/cli/parallel.ts";

Deno.test("catchFailures() takes an uncaught error and keeps the process alive", async () => {
  using failures = catchFailures();
  const event = new ErrorEvent("error", { error: new Error("a bug"), cancelable: true });
  assert.equal(dispatchEvent(event), false, "its default, the end of the process, is prevented");
  assert.equal((await failures.first).message, "a bug");
});

Deno.test("catchFailures() takes an unhandled rejection, whatever was thrown", async () => {
  using failures = catchFailures();
  const event = new PromiseRejectionEvent("unhandledrejection", {
    promise: Promise.resolve(),
    reason: "just a text",
    cancelable: true,
  });
  assert.equal(dispatchEvent(event), false);
  assert.equal((await failures.first).message, "just a text");
});

Deno.test("inParallel() keeps to its limit and does every item once", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    await Promise.resolve();
    done.push(item);
    running--;
  });
  assert.equal(most, 3);
  assert.deepEqual(done.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("inParallel() begins nothing after a failure, and throws it", async () => {
  const begun: number[] = [];
  await assert.rejects(
    inParallel([1, 2, 3, 4], 1, (item) => {
      begun.push(item);
      return item === 2 ? Promise.reject(new Error("two")) : Promise.resolve();
    }),
    /two/,
  );
  assert.deepEqual(begun, [1, 2]);
});
