/** Proves what duties that are done at intervals have in common. */
import assert from "node:assert/strict";
import { PeriodicDuty } from "../../src/maintenance/duty.ts";
import { eventually } from "../helpers/eventually.ts";

const noError = (error: unknown) => assert.fail(String(error));

Deno.test("PeriodicDuty: runs never overlap, and stop() waits for the one under way", async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const gates: (() => void)[] = [];
  const duty = new PeriodicDuty(async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
    runs++;
  }, { everyMs: 1, isDoneAtStart: true, onError: noError });
  duty.start();
  duty.runOnce();
  await eventually(() => gates.length === 1, { what: "the first run began" });
  gates.shift()!();
  await eventually(() => gates.length === 1, { what: "the second run began" });
  let hasStopped = false;
  const stopping = duty.stop().then(() => hasStopped = true);
  await Promise.resolve();
  assert.equal(hasStopped, false);
  const open = setInterval(() => gates.shift()?.(), 1);
  await stopping;
  clearInterval(open);
  assert.equal(running, 0);
  assert.equal(most, 1);
  assert.ok(runs >= 2);
});

Deno.test("PeriodicDuty: a run that throws is told, and the next one comes", async () => {
  const errors: unknown[] = [];
  let runs = 0;
  const duty = new PeriodicDuty(() => Promise.reject(new Error(`run ${++runs}`)), {
    everyMs: 1,
    onError: (error) => errors.push(error),
  });
  duty.start();
  await eventually(() => errors.length >= 2, { what: "two runs had failed" });
  await duty.stop();
  assert.equal((errors[0] as Error).message, "run 1");
});

Deno.test("PeriodicDuty: the first run comes an interval after the start, unless it is to come with it", async () => {
  const runs: string[] = [];
  const options = { everyMs: 3_600_000, onError: noError };
  const work = (name: string) => () => Promise.resolve(void runs.push(name));
  const late = new PeriodicDuty(work("late"), options);
  const early = new PeriodicDuty(work("early"), { ...options, isDoneAtStart: true });
  late.start();
  early.start();
  await Promise.all([late.stop(), early.stop()]);
  assert.deepEqual(runs, ["early"]);
});

Deno.test("PeriodicDuty: after a run that failed the next one comes sooner, if that is wanted", async () => {
  let runs = 0;
  const duty = new PeriodicDuty(
    () => ++runs < 4 ? Promise.reject(new Error("not yet")) : Promise.resolve(),
    { everyMs: 3_600_000, retryMs: 1, onError: () => {} },
  );
  await duty.runOnce();
  duty.start();
  await eventually(() => runs === 4, { what: "it was tried until it worked" });
  await duty.stop();
});
