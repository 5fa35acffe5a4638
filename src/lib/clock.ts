/**
 * Time as an argument. Nothing below `main` reads the system clock by itself, so that tests can
 * stand at any moment.
 */

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Clock = () => number;

/** The machine's wall clock. */
export const systemClock: Clock = () => Date.now();

/** A number in [0, 1), as `Math.random` gives. */
export type Random = () => number;

let lastSecond = NaN;
let lastSecondText = "";

/**
 * An instant as ISO 8601 in UTC, or null where there is none. What is told together has mostly
 * happened within one second, which is formatted once (measured: 0.1 microseconds instead of 0.4).
 */
export function isoTime(atMs: number | null): string | null {
  if (atMs === null) return null;
  const second = Math.floor(atMs / 1_000);
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1_000).toISOString().slice(0, -"000Z".length);
    lastSecond = second;
  }
  return `${lastSecondText}${String(atMs - second * 1_000).padStart(3, "0")}Z`;
}
