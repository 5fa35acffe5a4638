/** Choices that a seed repeats. */
import type { Random } from "../../src/lib/clock.ts";

/** Numbers in [0, 1) that follow from the seed. Source: mulberry32, Tommy Ettinger, public domain. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to `most`, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** One of these; there must be one. */
export function oneOf<T>(random: Random, things: readonly T[]): T {
  return things[Math.floor(random() * things.length)]!;
}
