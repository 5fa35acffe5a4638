/** Numbers as a row of small bars. Pure. */

const BARS = "▁▂▃▄▅▆▇█";

/**
 * One character for each number, the largest one highest.
 *
 * @example
 * ```ts
 * import { sparkline } from "./sparkline.ts";
 * import assert from "node:assert/strict";
 * assert.equal(sparkline([0, 1, 4, 8]), "▁▂▅█");
 * ```
 */
export function sparkline(numbers: readonly number[]): string {
  const most = Math.max(...numbers, 1);
  return numbers.map((number) => BARS[Math.ceil(number / most * (BARS.length - 1))]).join("");
}
