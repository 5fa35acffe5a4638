/** Proves the small things that everything stands on: durations, sizes, clock, ids. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isoTime, systemClock } from "../../src/lib/clock.ts";
import { formatDuration, humanDuration, parseDuration } from "../../src/lib/duration.ts";
import { newId } from "../../src/lib/ids.ts";
import { formatSize, parseSize } from "../../src/lib/size.ts";

Deno.test("parseDuration() reads every unit of the contract, fractions too", () => {
  const cases: Record<string, number> = {
    "500ms": 500,
    "0s": 0,
    "2s": 2_000,
    "1.5s": 1_500,
    "10m": 600_000,
    "1h": 3_600_000,
    "7d": 604_800_000,
    " 2s ": 2_000,
    "0.0001s": 0,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration() refuses everything else", () => {
  const wrong = [
    "",
    "2",
    "s",
    "-1s",
    "+1s",
    "2 s",
    "2S",
    "1e3s",
    "1h30m",
    "1.s",
    ".5s",
    "∞s",
    "2s\0",
  ];
  for (const text of [...wrong, "9".repeat(15) + "d", "9".repeat(400) + "s"]) {
    assert.equal(parseDuration(text), null, JSON.stringify(text));
  }
});

Deno.test("formatDuration() writes what parseDuration() reads back", () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 ** 14 }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
});

Deno.test("formatDuration() takes the largest unit that is exact", () => {
  const cases: Record<string, number> = {
    "0s": 0,
    "1ms": 1,
    "1500ms": 1_500,
    "90s": 90_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
    "25h": 90_000_000,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(formatDuration(ms), text);
});

Deno.test("humanDuration() rounds to what matters", () => {
  const cases: [number, string][] = [
    [0, "0ms"],
    [12.4, "12ms"],
    [999, "999ms"],
    [999.4, "999ms"],
    [999.5, "1s"],
    [1_000, "1s"],
    [1_234, "1.2s"],
    [59_940, "59.9s"],
    [59_949, "59.9s"],
    [59_950, "1m"],
    [60_000, "1m"],
    [200_000, "3m 20s"],
    [3_600_000, "1h"],
    [7_500_000, "2h 5m"],
    [273_600_000, "3d 4h"],
  ];
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text, String(ms));
});

Deno.test("humanDuration() never names sixty seconds, minutes or ten hundred milliseconds", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (ms) => {
    assert.doesNotMatch(humanDuration(ms), /\b(1000ms|60(\.0)?s|60m|24h)\b/, String(ms));
  }));
});

Deno.test("parseSize() reads bytes and binary units", () => {
  const cases: Record<string, number> = {
    "0": 0,
    "512": 512,
    "512B": 512,
    "64KiB": 65_536,
    "1 MiB": 1_048_576,
    "1.5MiB": 1_572_864,
    "2GiB": 2_147_483_648,
  };
  for (const [text, bytes] of Object.entries(cases)) assert.equal(parseSize(text), bytes, text);
});

Deno.test("parseSize() refuses everything else", () => {
  for (const text of ["", "-1", "1MB", "1mib", "1e6", "MiB", "1..5", "1KiB\0", "9".repeat(16)]) {
    assert.equal(parseSize(text), null, JSON.stringify(text));
  }
});

Deno.test("formatSize() writes what parseSize() reads back", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 40 }), (bytes) => parseSize(formatSize(bytes)) === bytes),
  );
  assert.equal(formatSize(1_048_576), "1MiB");
  assert.equal(formatSize(0), "0");
  assert.equal(formatSize(1_000), "1000");
});

Deno.test("isoTime() writes UTC with milliseconds, and nothing for nothing", () => {
  assert.equal(isoTime(0), "1970-01-01T00:00:00.000Z");
  assert.equal(isoTime(1_750_000_000_123), "2025-06-15T15:06:40.123Z");
  assert.equal(isoTime(null), null);
});

Deno.test("systemClock() tells the wall clock's milliseconds", () => {
  const before = Date.now();
  const now = systemClock();
  assert.ok(before <= now && now <= Date.now());
});

Deno.test("newId() gives 32 lower-case hexadecimal digits, a UUID of version 7", () => {
  for (let made = 0; made < 100; made++) {
    assert.match(newId(), /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  }
});

Deno.test("newId() rises: ten thousand ids in a row are distinct and in order", () => {
  const ids = Array.from({ length: 10_000 }, newId);
  assert.deepEqual(ids, [...new Set(ids)].sort());
});
