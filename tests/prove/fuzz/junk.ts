/** Values that programs tend to stumble over, and ways to spoil good ones. Knows no format. */
import type { Random } from "../../../src/lib/clock.ts";
import { between, oneOf } from "../random.ts";

const NASTY_TEXTS = [
  ...[
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "-0",
    "NaN",
    "null",
    "undefined",
    "true",
    "[]",
    "{}",
    "\0",
    "\n",
  ],
  ...["\u2028", "\ufeff", "\ud800", "é", "😀", "ﷺ", "../../etc/passwd", "%00", "%2e%2e%2f", "%"],
  ...["'; DROP TABLE jobs; --", "${7*7}", "{{7*7}}", "__proto__", "constructor", "toString"],
  ...["9007199254740993", "-9223372036854775809", "1".repeat(400), "a".repeat(5_000), "0x10"],
  ...["1h", "-5m", "10 m", "99999999999d", "2030-12-01T10:00:00Z", "2030-13-45", "+275760-09-13"],
] as const;

const NASTY_NUMBERS = [0, -1, 1, 0.5, -0.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 5e-324];

export function nastyText(random: Random): string {
  return random() < 0.7 ? oneOf(random, NASTY_TEXTS) : randomText(random);
}

export function randomText(random: Random): string {
  const length = between(random, 0, 40);
  return Array.from({ length }, () => String.fromCharCode(between(random, 0, 0x2ff))).join("");
}

/** Any JSON value. */
export function nastyValue(random: Random, depth = 0): unknown {
  const kind = between(random, 0, depth > 3 ? 4 : 6);
  if (kind <= 1) return nastyText(random);
  if (kind === 2) return oneOf(random, NASTY_NUMBERS);
  if (kind === 3) return oneOf(random, [true, false, null]);
  if (kind === 4) return between(random, -10, 10);
  const length = between(random, 0, 4);
  const values = Array.from({ length }, () => nastyValue(random, depth + 1));
  if (kind === 5) return values;
  return Object.fromEntries(values.map((value) => [nastyText(random), value]));
}

/** A copy with some bytes changed, left out, doubled or put in. */
export function spoil(random: Random, bytes: Uint8Array): Uint8Array {
  let spoilt = [...bytes];
  for (let change = between(random, 1, 4); change > 0; change--) {
    const at = between(random, 0, Math.max(0, spoilt.length - 1));
    const span = between(random, 1, 12);
    switch (between(random, 0, 4)) {
      case 0:
        spoilt[at] = between(random, 0, 255);
        break;
      case 1:
        spoilt.splice(at, span);
        break;
      case 2:
        spoilt.splice(at, 0, ...spoilt.slice(at, at + span));
        break;
      case 3:
        spoilt.splice(at, 0, ...new TextEncoder().encode(nastyText(random).slice(0, 300)));
        break;
      case 4:
        spoilt = spoilt.slice(0, at);
    }
  }
  return Uint8Array.from(spoilt);
}
