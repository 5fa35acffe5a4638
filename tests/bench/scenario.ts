/**
 * What a scenario is: one question about speed, asked of queuectl and of a bare program that does
 * only the raw work. Owns these shapes; measures nothing.
 */
import type { Scratch } from "./scratch.ts";

export interface BenchContext {
  /** How many times each side is measured, in turn; the median counts. */
  readonly rounds: number;
  /** `full`, or what `--quick` asks for. */
  pick<T>(full: T, quick: T): T;
  /** How many finished jobs the scenario `history` puts into the file. */
  readonly historyJobs: number;
  /** The directory for databases. */
  readonly scratch: Scratch;
  /** Tells the person who waits what is going on. */
  progress(message: string): void;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  run(context: BenchContext): Promise<Row[]>;
}

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  /** What it is compared with; null: with nothing. */
  readonly bare: number | null;
  readonly better: "higher" | "lower";
  /** What is aimed at; null: the line is there to be read. */
  readonly wanted: Wanted | null;
  readonly note?: string;
}

/** A bound on `ours / bare`, or on `ours` itself. A lower or an upper one, as `better` says. */
export type Wanted = { readonly ratio: number } | { readonly value: number };

/** Measured `ours / bare`; null where there is nothing to compare with. */
export function ratioOf({ ours, bare }: Row): number | null {
  return bare === null || bare === 0 ? null : ours / bare;
}

/** Whether the line reaches what is wanted; null where nothing is. */
export function isMet(row: Row): boolean | null {
  if (row.wanted === null) return null;
  const found = "value" in row.wanted ? row.ours : ratioOf(row);
  const bound = "value" in row.wanted ? row.wanted.value : row.wanted.ratio;
  if (found === null) return false;
  return row.better === "higher" ? found >= bound : found <= bound;
}
