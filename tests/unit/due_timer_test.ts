/** Proves when `DueTimer` speaks: at the earliest time expected, whatever becomes of the clock. */
import assert from "node:assert/strict";
import { DueTimer } from "../../src/supervisor/due_timer.ts";
import { eventually } from "../helpers/eventually.ts";

function timerOn(clock: () => number) {
  const told = { due: 0, early: 0 };
  const timer = new DueTimer(clock, { onDue: () => told.due++, onEarly: () => told.early++ });
  return { timer, told };
}

Deno.test("DueTimer: of several times the earliest counts, once", async () => {
  const { timer, told } = timerOn(Date.now);
  timer.expect(Date.now() + 3_600_000);
  timer.expect(Date.now() + 20);
  timer.expect(null);
  await eventually(() => told.due === 1, { what: "it was due" });
  timer.stop();
});

Deno.test("DueTimer: a clock that is set forward is noticed within about a second", async () => {
  let setByMs = 0;
  const { timer, told } = timerOn(() => Date.now() + setByMs);
  timer.expect(Date.now() + 3_600_000);
  setByMs = 7_200_000;
  await eventually(() => told.due === 1, { what: "it was due by the new time" });
  timer.stop();
});

Deno.test("DueTimer: one that is stopped says nothing more", async () => {
  const { timer, told } = timerOn(Date.now);
  timer.expect(Date.now() + 10);
  timer.stop();
  timer.expect(Date.now());
  const { timer: other, told: later } = timerOn(Date.now);
  other.expect(Date.now() + 50);
  await eventually(() => later.due === 1, { what: "a later one was due" });
  other.stop();
  assert.deepEqual(told, { due: 0, early: 0 });
});
