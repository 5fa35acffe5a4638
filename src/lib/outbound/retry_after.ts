/** When a server asks to be called again. */

/** Longer waits are cut to this: a job is not put off for ever by one answer. */
const LONGEST_MS = 86_400_000;

/**
 * The wait in milliseconds that a `Retry-After` asks for (RFC 9110, section 10.2.3), at most a day;
 * null: it asks for none that can be read.
 *
 * @param sentAt the answer's own `Date`, so that a wrong clock on either side does no harm.
 *
 * @example
 * ```ts
 * import { retryAfterMs } from "./retry_after.ts";
 * import assert from "node:assert/strict";
 * assert.equal(retryAfterMs("120", null, 0), 120_000);
 * ```
 */
export function retryAfterMs(
  value: string | null,
  sentAt: string | null,
  nowMs: number,
): number | null {
  if (value === null) return null;
  if (/^\d{1,15}$/.test(value)) return Math.min(Number(value) * 1_000, LONGEST_MS);
  const atMs = parseHttpDate(value);
  if (atMs === null) return null;
  const fromMs = parseHttpDate(sentAt ?? "") ?? nowMs;
  return Math.min(Math.max(0, atMs - fromMs), LONGEST_MS);
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`; the forms before it are long out of use. */
function parseHttpDate(text: string): number | null {
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
  const atMs = isDate ? Date.parse(text) : NaN;
  return Number.isNaN(atMs) ? null : atMs;
}
