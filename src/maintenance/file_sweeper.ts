/**
 * Deletes files that no job has: uploads that were never finished, and those of jobs that were
 * deleted. At start-up and again and again, in steps that do not hold up others.
 */
import type { Clock } from "../lib/clock.ts";
import { sweepFiles } from "../queue/file_writer.ts";
import type { JobStore } from "../store/store.ts";
import { Duty } from "./duty.ts";

/** Nobody waits for this. */
const EVERY_MS = 60_000;

export function createFileSweeper(
  { store, clock, onError }: {
    readonly store: JobStore;
    readonly clock: Clock;
    readonly onError: (error: unknown) => void;
  },
): Duty {
  return new Duty(() => sweepFiles(store, clock()), { everyMs: EVERY_MS, onError });
}
