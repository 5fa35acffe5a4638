/**
 * Measures two sides in turn (ours, bare, ours, bare, …), so that whatever slows the machine for a
 * while slows both, and takes the median of each figure.
 */
import { median } from "./numbers.ts";
import type { BenchContext } from "./scenario.ts";

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

export interface Compared<O extends Figures, B extends Figures> {
  readonly ours: O;
  readonly bare: B;
}

export async function alternate<O extends Figures, B extends Figures>(
  context: BenchContext,
  { ours, bare, names = ["queuectl", "bare"] }: {
    ours: () => Promise<O>;
    bare: () => Promise<B>;
    /** What the two are called while they are measured. */
    names?: readonly [ours: string, bare: string];
  },
): Promise<Compared<O, B>> {
  const found: { ours: O[]; bare: B[] } = { ours: [], bare: [] };
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`round ${round} of ${context.rounds}: ${names[0]}`);
    found.ours.push(await ours());
    context.progress(`round ${round} of ${context.rounds}: ${names[1]}`);
    found.bare.push(await bare());
  }
  return { ours: mediansOf(found.ours), bare: mediansOf(found.bare) };
}

function mediansOf<F extends Figures>(rounds: readonly F[]): F {
  const names = Object.keys(rounds[0]!);
  return Object.fromEntries(
    names.map((name) => [name, median(rounds.map((figures) => figures[name]!))]),
  ) as F;
}
