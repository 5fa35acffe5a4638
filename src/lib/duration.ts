/** Durations as people write them: `500ms`, `2s`, `10m`, `1h`, `7d`. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What {@link parseDuration} accepts, for error messages. */
export const DURATION_EXPECTED = "a duration such as 500ms, 2s, 10m, 1h or 7d";

/**
 * The duration in whole milliseconds, or null when the text is not a duration.
 *
 * @example
 * ```ts
 * import { parseDuration } from "./duration.ts";
 * import assert from "node:assert/strict";
 * assert.equal(parseDuration("1.5s"), 1500);
 * assert.equal(parseDuration("soon"), null);
 * ```
 */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return null;
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** The shortest way to write a duration exactly: 90000 is `90s`, 3600000 is `1h`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** A duration for people, rounded to what matters: `12ms`, `1.2s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function humanDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, "")}s`;
  ms = Math.max(ms, UNIT_MS.m);
  const pairs = [["d", "h"], ["h", "m"], ["m", "s"]] as const;
  for (const [large, small] of pairs) {
    if (ms < UNIT_MS[large]) continue;
    const rest = Math.floor((ms % UNIT_MS[large]) / UNIT_MS[small]);
    const whole = Math.floor(ms / UNIT_MS[large]);
    return rest === 0 ? `${whole}${large}` : `${whole}${large} ${rest}${small}`;
  }
  return `${ms}ms`;
}
