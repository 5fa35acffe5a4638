/** How fast the pruner goes: by what its steps cost the store, not by how long they wait for others. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { prune } from "../../src/maintenance/pruner.ts";
import type { PruneStep } from "../../src/store/prune.ts";
import type { JobStore } from "../../src/store/store.ts";

const RETENTION = {
  keepMs: { completed: 1_000, dead: Infinity, cancelled: Infinity },
  keepJobs: null,
};

/** How many jobs each step looks at, in a store whose steps cost so much and take so long. */
async function limitsOf(
  steps: number,
  { workMs, waitMs = 0 }: { workMs: number; waitMs?: number },
): Promise<number[]> {
  const limits: number[] = [];
  const store = {
    async prune({ limit, afterSeq }: PruneStep) {
      limits.push(limit);
      await pause(waitMs);
      const nextSeq = limits.length === steps ? null : afterSeq + limit;
      return { jobs: limit, nextSeq, workMs };
    },
  } as unknown as JobStore;
  const { completed } = await prune(store, RETENTION, { nowMs: 1_000_000 });
  assert.equal(completed, limits.reduce((sum, limit) => sum + limit, 0));
  return limits;
}

Deno.test("pruning a busy store is not slowed down by waiting for its turn", async () => {
  const limits = await limitsOf(12, { workMs: 0.1, waitMs: 20 });
  assert.deepEqual(limits, limits.toSorted((one, other) => one - other));
  assert.ok(limits.at(-1)! > limits[0]!);
});

Deno.test("steps of pruning that are dear look at fewer jobs, but at some", async () => {
  const limits = await limitsOf(4, { workMs: 9 });
  assert.deepEqual(limits, limits.toSorted((one, other) => other - one));
  assert.ok(limits.at(-1)! > 0 && limits.at(-1)! < limits[0]!);
});
