/** Proves that a clock that was set is noticed, and one that only goes on is not. */
import assert from "node:assert/strict";
import { ClockWatch } from "../../src/lib/clock_watch.ts";

const HOUR_MS = 3_600_000;

Deno.test("a clock that was set forward or back is noticed once, by how much", () => {
  let [wallMs, steadyMs] = [1_000, 0];
  const watch = new ClockWatch(() => wallMs, () => steadyMs);
  for (const byMs of [HOUR_MS, -HOUR_MS, -24 * HOUR_MS]) {
    steadyMs += 5_000;
    wallMs += 5_000 + byMs;
    assert.equal(watch.jumpMs(), byMs);
    assert.equal(watch.jumpMs(), 0);
  }
});

Deno.test("time that passes is no jump, however long nobody looks", () => {
  let [wallMs, steadyMs] = [0, 0];
  const watch = new ClockWatch(() => wallMs, () => steadyMs);
  for (const passedMs of [1, 5_000, 24 * HOUR_MS]) {
    steadyMs += passedMs;
    wallMs += passedMs + 3; // slewed a little
    assert.equal(watch.jumpMs(), 0);
  }
});

Deno.test("small corrections add up to a jump", () => {
  let wallMs = 0;
  const watch = new ClockWatch(() => wallMs, () => 0);
  wallMs = 600;
  assert.equal(watch.jumpMs(), 0);
  wallMs = 1_200;
  assert.equal(watch.jumpMs(), 1_200);
});
