/**
 * Deletes files that no job has: uploads that were never finished, and those of jobs that were
 * deleted. At start-up and again and again, in steps that do not hold up others.
 */
import { sweepFiles } from "../queue/file_writer.ts";
import type { Queue } from "../queue/queue.ts";
import { type Duty, PeriodicDuty } from "./duty.ts";

/** Nobody waits for this. */
const EVERY_MS = 60_000;

export function createFileSweeper(
  { queue: { store, clock }, onError }: {
    readonly queue: Queue;
    readonly onError: (error: unknown) => void;
  },
): Duty {
  return new PeriodicDuty(() => sweepFiles(store, clock()), {
    everyMs: EVERY_MS,
    isDoneAtStart: true,
    onError,
  });
}
