/** Proves how far the clock of a server that is heard now and then may be off. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { RemoteClock } from "../../src/lib/remote_clock.ts";

const HOUR_MS = 3_600_000;

Deno.test("it is never further off than the last way there and back took", () => {
  const step = fc.record({
    restMs: fc.nat(100_000),
    thereMs: fc.nat(500),
    backMs: fc.nat(500),
    setByMs: fc.constantFrom(0, 0, 0, HOUR_MS, -HOUR_MS),
  });
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
    let [steadyMs, aheadMs] = [0, 1_700_000_000_000];
    const clock = new RemoteClock(() => steadyMs);
    for (const { restMs, thereMs, backMs, setByMs } of steps) {
      aheadMs += setByMs;
      const askedMs = clock.ask();
      steadyMs += thereMs;
      const remoteMs = steadyMs + aheadMs;
      steadyMs += backMs;
      clock.heard(remoteMs, askedMs);
      steadyMs += restMs;
      const offMs = clock.now() - (steadyMs + aheadMs);
      assert.ok(Math.abs(offMs) <= thereMs + backMs + 1, `${offMs}`);
    }
  }));
});

Deno.test("it does not jump with each answer, as long as what was thought may be right", () => {
  let steadyMs = 0;
  const clock = new RemoteClock(() => steadyMs);
  clock.heard(1_000, clock.ask());
  for (const thereMs of [9, 0, 4, 7]) {
    const askedMs = clock.ask();
    steadyMs += 10;
    clock.heard(1_000 + askedMs + thereMs, askedMs);
    assert.equal(clock.now(), 1_000 + steadyMs);
  }
});
