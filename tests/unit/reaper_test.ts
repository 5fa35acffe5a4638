/** The reaper and a store that is away: the time in which nobody could renew does not count for leases. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { createReaper } from "../../src/maintenance/reaper.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { ReapRequest } from "../../src/store/store.ts";

const LEASE_MS = 200;

/** The graces that a reaper gives in its runs, in a store whose calls take what `reaping` takes. */
async function gracesOf(runs: number, reaping: (run: number) => Promise<void>): Promise<number[]> {
  const graces: number[] = [];
  const store = {
    rebase: () => Promise.resolve(),
    workers: () => Promise.resolve([]),
    async reap({ graceMs }: ReapRequest) {
      graces.push(graceMs ?? 0);
      await reaping(graces.length);
      return [];
    },
  };
  const reaper = createReaper({
    queue: { store, clock: Date.now, events: { emit: () => {} } } as unknown as Queue,
    leaseMs: LEASE_MS,
    everyMs: 10,
    backoff: { base: 2, capMs: 1_000 },
    onError: () => {},
  });
  for (let run = 0; run < runs; run++) await reaper.runOnce();
  return graces;
}

Deno.test("leases hold for as long as the store was away, when a call failed", async () => {
  const [first, second] = await gracesOf(2, async (run) => {
    if (run > 1) return;
    await pause(LEASE_MS);
    throw new Error("away");
  });
  assert.equal(first, 0);
  assert.ok(second! >= LEASE_MS, `${second}`);
});

Deno.test("leases hold for as long as the store was away, when a call has waited for it", async () => {
  const [first, second] = await gracesOf(2, (run) => run > 1 ? Promise.resolve() : pause(LEASE_MS));
  assert.equal(first, 0);
  assert.ok(second! >= LEASE_MS, `${second}`);
});
