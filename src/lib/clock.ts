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

/** An instant as ISO 8601 in UTC, or null where there is none. */
export function isoTime(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
