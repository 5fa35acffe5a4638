/**
 * What an experiment is: something is done to the queue that could break a promise, and figures say
 * whether it did. Owns these shapes; does nothing to anybody.
 */
import type { Random } from "../../src/lib/clock.ts";

export interface ProveContext {
  readonly isQuick: boolean;
  /** `full`, or what `--quick` asks for. */
  pick<T>(full: T, quick: T): T;
  /** The same seed makes the same choices; the timing of processes is theirs. */
  readonly seed: number;
  readonly random: Random;
  /** How long the soak lasts. */
  readonly soakMs: number;
  /** Tells the person who waits what is going on. */
  progress(message: string): void;
}

export interface Experiment {
  readonly name: string;
  readonly about: string;
  /** It is about the file of SQLite, and so nothing on another store. */
  readonly isAboutTheFile?: true;
  /** After so long it has failed, and what it started is ended. */
  limitMs(context: ProveContext): number;
  /** @throws {CannotRun} where this machine does not allow it. */
  run(context: ProveContext): Promise<Figure[]>;
}

/** One line of the report. */
export interface Figure {
  readonly what: string;
  readonly found: number;
  readonly unit?: string;
  /** What must be reached; without it, the line is there to be read. */
  readonly wanted?: Wanted;
  /** Details, above all when it is not reached. */
  readonly note?: string;
}

export type Wanted = { readonly is: number } | { readonly atMost: number } | {
  readonly atLeast: number;
};

/** Whether the figure is what it must be; null where nothing is asked of it. */
export function isReached({ found, wanted }: Figure): boolean | null {
  if (wanted === undefined) return null;
  if ("is" in wanted) return found === wanted.is;
  return "atMost" in wanted ? found <= wanted.atMost : found >= wanted.atLeast;
}

/** The machine lacks a right or a tool that the experiment needs. Says which. */
export class CannotRun extends Error {}

/** A figure that counts bad things: there must be none, and the note names the first few. */
export function none(what: string, bad: readonly string[]): Figure {
  const named = bad.slice(0, 3).join("; ");
  const more = bad.length > 3 ? `; and ${bad.length - 3} more` : "";
  return { what, found: bad.length, wanted: { is: 0 }, ...(named && { note: named + more }) };
}

/** A time of which the worst counts. */
export function worst(what: string, timesMs: readonly number[], atMostMs: number): Figure {
  const found = Math.round(timesMs.reduce((one, other) => Math.max(one, other), 0));
  return { what, found, unit: "ms", wanted: { atMost: atMostMs } };
}
