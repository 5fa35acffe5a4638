/** The reaper and a store that is away: the time in which nobody could renew does not count for leases. */
import assert from "node:assert/strict";
import { createReaper } from "../../src/maintenance/reaper.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { ReapRequest } from "../../src/store/store.ts";

const LEASE_MS = 200;

/** Time that passes only when a test says so: a machine that stands still is a store away, too. */
function heldTime(): { nowMs: number } & Disposable {
  const { now } = performance;
  const held = {
    nowMs: 1_000_000,
    [Symbol.dispose]: () => void (performance.now = now),
  };
  performance.now = () => held.nowMs;
  return held;
}

/** The graces that a reaper gives in its runs, in a store whose calls take what `reaping` takes. */
async function gracesOf(
  runs: number,
  reaping: (run: number, pass: (ms: number) => void) => void,
): Promise<number[]> {
  using time = heldTime();
  const graces: number[] = [];
  const store = {
    rebase: () => Promise.resolve(),
    workers: () => Promise.resolve([]),
    // deno-lint-ignore require-await -- what is thrown in it is to be a rejection
    async reap({ graceMs }: ReapRequest) {
      graces.push(graceMs ?? 0);
      reaping(graces.length, (ms) => time.nowMs += ms);
      return [];
    },
  };
  const reaper = createReaper({
    queue: { store, clock: () => time.nowMs, events: { emit: () => {} } } as unknown as Queue,
    leaseMs: LEASE_MS,
    everyMs: 10,
    backoff: { base: 2, capMs: 1_000 },
    onError: () => {},
  });
  for (let run = 0; run < runs; run++) await reaper.runOnce();
  return graces;
}

Deno.test("leases hold for as long as the store was away, when a call failed", async () => {
  const [first, second] = await gracesOf(2, (run, pass) => {
    if (run > 1) return;
    pass(LEASE_MS);
    throw new Error("away");
  });
  assert.equal(first, 0);
  assert.ok(second! >= LEASE_MS, `${second}`);
});

Deno.test("leases hold for as long as the store was away, when a call has waited for it", async () => {
  const [first, second] = await gracesOf(2, (run, pass) => {
    if (run === 1) pass(LEASE_MS);
  });
  assert.equal(first, 0);
  assert.ok(second! >= LEASE_MS, `${second}`);
});
