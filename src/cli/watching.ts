/** Looking at the store again whenever it may have changed. */
import type { JobStore } from "../store/store.ts";

/** What `store.watch` misses, changes made by this very process, is seen after so long. */
const SLOW_POLL_MS = 1_000;

/** Between two looks, so that a busy queue does not make a busy watcher. */
const LEAST_PAUSE_MS = 20;

/**
 * Calls `look` now and after every change, until it returns something or the time is over; then
 * returns null.
 */
export async function lookUntil<T>(
  store: JobStore,
  look: () => Promise<T | null>,
  { timeoutMs = Infinity }: { timeoutMs?: number } = {},
): Promise<T | null> {
  const deadlineMs = performance.now() + timeoutMs;
  let wake = () => {};
  let hasChanged = false;
  using _watch = store.watch(() => {
    hasChanged = true;
    wake();
  });
  while (true) {
    hasChanged = false;
    const found = await look();
    if (found !== null) return found;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return null;
    await pause(Math.min(LEAST_PAUSE_MS, leftMs));
    if (hasChanged) continue;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(SLOW_POLL_MS, Math.max(0, leftMs)));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
