/**
 * What is wrong with the queue as a whole, in words and with what to do about it. Pure: looks at
 * numbers only.
 *
 * Invariant: a queue that is well has no warnings; a warning names what somebody can do.
 */
import type { HistoryStep, Stats, WorkerStatus } from "../store/store.ts";
import { type DiskRoom, isScarce } from "./disk.ts";
import { bytes, coarse, count, counted } from "./format.ts";

export interface Warning {
  readonly text: string;
  /** What to do about it. */
  readonly advice: string;
  /** A command to copy. */
  readonly command?: string;
}

export interface WarningFacts {
  readonly stats: Stats;
  readonly workers: readonly WorkerStatus[];
  /** The last minutes. */
  readonly recent: readonly HistoryStep[];
  /** Null: not known. */
  readonly disk: DiskRoom | null;
  readonly nowMs: number;
}

/** So long may the oldest job wait before a queue that grows is worth a word. */
const PATIENCE_MS = 60_000;
/** A thread that was started anew so often, the last time so recently, will be again. */
const MANY_RESTARTS = 3;
const RECENT_RESTART_MS = 5 * 60_000;

/** The warnings, the worst first. */
export function findWarnings({ stats, workers, recent, disk, nowMs }: WarningFacts): Warning[] {
  const warnings: Warning[] = [];
  const { counts, oldestReadyAtMs } = stats;
  const waiting = counts.pending + counts.failed;
  if (disk !== null && isScarce(disk)) {
    warnings.push({
      text: `The disk of the database is nearly full: ${bytes(disk.freeBytes)} are left.`,
      advice: "When it is full, no job can be added or finished. Make room.",
    });
  }
  if (workers.length === 0 && waiting > 0) {
    warnings.push({
      text: `No workers are running, and ${counted(waiting, "job")} wait${
        waiting === 1 ? "s" : ""
      }.`,
      advice: "Start some where the database is:",
      command: "queuectl worker",
    });
  }
  const crashing = workers.filter(({ restarts, startedAtMs }) =>
    restarts >= MANY_RESTARTS && nowMs - startedAtMs < RECENT_RESTART_MS
  );
  if (crashing.length > 0) {
    const restarts = crashing.reduce((sum, { restarts }) => sum + restarts, 0);
    warnings.push({
      text: `${counted(crashing.length, "worker")} keep${crashing.length === 1 ? "s" : ""} ` +
        `crashing: started anew ${counted(restarts, "time")}.`,
      advice:
        "A job may be killing its worker: look among the dead letters for “crash” and “hang”.",
    });
  }
  const waitedMs = oldestReadyAtMs === null ? 0 : nowMs - oldestReadyAtMs;
  const added = sum(recent, (step) => step.added);
  const ended = sum(recent, (step) => step.completed + step.dead + step.cancelled);
  if (workers.length > 0 && waitedMs > PATIENCE_MS && added > 1.1 * ended && added - ended >= 10) {
    warnings.push({
      text: `The queue is growing: ${counted(added, "job")} added in the last minutes, ` +
        `${count(ended)} ended. The oldest has been ready for ${coarse(waitedMs)}.`,
      advice: "Start more workers, or look for a job that holds the others up.",
    });
  }
  return warnings;
}

function sum(steps: readonly HistoryStep[], pick: (step: HistoryStep) => number): number {
  return steps.reduce((total, step) => total + pick(step), 0);
}
