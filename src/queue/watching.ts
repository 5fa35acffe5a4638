/** Looking at the queue again whenever it may have changed, by whatever process. */
import { pause } from "../lib/pause.ts";
import type { Queue } from "./queue.ts";

/** What neither the store's watch nor this process's events tell is seen after so long. */
const SLOW_POLL_MS = 1_000;

/** Between two looks, so that a busy queue does not make a busy watcher. */
const LEAST_PAUSE_MS = 20;

export interface LookOptions {
  /** Unless given: for ever. */
  readonly timeoutMs?: number;
}

/**
 * Calls `look` now and after every change, until it returns something or the time is over; then
 * returns null.
 */
export async function lookUntil<T>(
  { store, events }: Pick<Queue, "store" | "events">,
  look: () => Promise<T | null>,
  { timeoutMs = Infinity }: LookOptions = {},
): Promise<T | null> {
  const deadlineMs = performance.now() + timeoutMs;
  let wake = () => {};
  let hasChanged = false;
  const onChange = () => {
    hasChanged = true;
    wake();
  };
  using _others = store.watch(onChange);
  using _own = events.subscribe(({ type }) => {
    if (type === "job.ended" || type === "job.reaped" || type === "cancel.requested") onChange();
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
