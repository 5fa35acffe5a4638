/**
 * What one process adds, another one starts at once: because it is told, and not because it looks by
 * itself every five seconds. Owns that proof; knows no database.
 */
import assert from "node:assert/strict";
import type { Running } from "./program.ts";

/** Who looks every five seconds, and has just found a job, comes much later to the next one. */
const AT_ONCE_MS = 1_500;

/** So many have to start at once; a machine with much else to do gets more chances. */
const [ENOUGH, MOST_ROUNDS] = [3, 10];

/** @param add adds a job from another process, and returns its id. */
export async function assertStartsAtOnce(
  worker: Running,
  add: () => Promise<string>,
): Promise<void> {
  const delaysMs: number[] = [];
  const quick = () => delaysMs.filter((delayMs) => delayMs < AT_ONCE_MS).length;
  while (quick() < ENOUGH && delaysMs.length < MOST_ROUNDS) {
    const id = await add();
    const addedMs = performance.now();
    await worker.sees("job.started", { fits: ({ job }) => job === id });
    delaysMs.push(performance.now() - addedMs);
  }
  assert.ok(quick() >= ENOUGH, `jobs were started after ${delaysMs.map(Math.round)} ms`);
}
