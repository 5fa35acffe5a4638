/** Proves what cron expressions mean, in the two awkward hours of a year too. */
import assert from "node:assert/strict";
import { Cron } from "../../src/job/cron.ts";
import { similarZone, Zone } from "../../src/job/zone.ts";

/** The next times as the wall shows them. */
function walls(expression: string, zone: string, after: string, count: number): string[] {
  const [cron, place] = [new Cron(expression), new Zone(zone)];
  const found: string[] = [];
  let atMs: number | null = Date.parse(after);
  while (found.length < count) {
    atMs = cron.next(atMs, place);
    if (atMs === null) break;
    found.push(place.format(atMs));
  }
  return found;
}

Deno.test("cron: five fields, six fields and nicknames mean what they mean elsewhere", () => {
  const after = "2026-01-01T00:00:00Z"; // a Thursday
  const first = (expression: string) => walls(expression, "UTC", after, 1)[0];
  assert.equal(first("30 9 * * MON-FRI"), "2026-01-01T09:30:00+00:00");
  assert.equal(first("0 0 * * 7"), "2026-01-04T00:00:00+00:00");
  assert.equal(first("0 0 13 * FRI"), "2026-01-02T00:00:00+00:00", "either day, as in Unix");
  assert.equal(first("*/10 * * * * *"), "2026-01-01T00:00:10+00:00");
  assert.equal(first("  0  12  1-7/2 6 *  "), "2026-06-01T12:00:00+00:00");
  assert.equal(first("0 9 L * *"), "2026-01-31T09:00:00+00:00");
  assert.equal(first("@DAILY"), "2026-01-02T00:00:00+00:00");
  assert.equal(first("@weekly"), "2026-01-04T00:00:00+00:00");
  assert.equal(first("0 0 29 2 *"), "2028-02-29T00:00:00+00:00");
});

Deno.test("cron: a time in the hour that spring leaves out runs at its end, once", () => {
  const after = "2026-03-28T12:00:00Z";
  assert.deepEqual(walls("30 2 * * *", "Europe/Berlin", after, 2), [
    "2026-03-29T03:00:00+02:00",
    "2026-03-30T02:30:00+02:00",
  ]);
  assert.deepEqual(walls("15,45 2,3 * * *", "Europe/Berlin", after, 4), [
    "2026-03-29T03:00:00+02:00",
    "2026-03-29T03:15:00+02:00",
    "2026-03-29T03:45:00+02:00",
    "2026-03-30T02:15:00+02:00",
  ]);
  assert.deepEqual(
    walls("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2),
    ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"],
    "midnight itself is left out",
  );
});

Deno.test("cron: a time in the hour that autumn repeats runs the first time only", () => {
  assert.deepEqual(walls("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), [
    "2026-10-25T02:30:00+02:00",
    "2026-10-26T02:30:00+01:00",
  ]);
  const inSecondPass = "2026-10-25T01:10:00Z";
  assert.deepEqual(walls("*/30 2 * * *", "Europe/Berlin", inSecondPass, 1), [
    "2026-10-26T02:00:00+01:00",
  ]);
});

Deno.test("cron: what runs in every hour goes by elapsed time through both", () => {
  const gapsMs = (zone: string, after: string) => {
    const times = walls("*/30 * * * *", zone, after, 60).map((wall) => Date.parse(wall));
    return [...new Set(times.slice(1).map((atMs, index) => atMs - times[index]!))];
  };
  for (const after of ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"]) {
    assert.deepEqual(gapsMs("Europe/Berlin", after), [30 * 60_000]);
  }
  assert.deepEqual(
    walls("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
    ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"],
  );
  assert.deepEqual(
    walls("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00Z", 3),
    ["2026-04-05T01:45:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30"],
    "half an hour is repeated there",
  );
});

Deno.test("cron: a whole day that a zone leaves out is passed over", () => {
  assert.deepEqual(walls("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3), [
    "2011-12-29T12:00:00-10:00",
    "2011-12-31T00:00:00+14:00",
    "2011-12-31T12:00:00+14:00",
  ]);
});

Deno.test("cron: an expression that never comes is found out in no time", () => {
  const beganMs = performance.now();
  for (
    const expression of [
      "0 0 30 2 *",
      "0 0 31 2,4,6,9,11 *",
      "*/5 * 31 4 *",
      "* * * 31 2 *",
      "0 0 31 11 +5#5",
    ]
  ) {
    assert.deepEqual(walls(expression, "Europe/Berlin", "2026-01-01T00:00:00Z", 1), [], expression);
  }
  assert.ok(performance.now() - beganMs < 20_000);
});

Deno.test("cron: what is no expression is refused, saying why, in no time", () => {
  const beganMs = performance.now();
  const refused: [string, RegExp][] = [
    ["", /it has 1 field/],
    ["* * *", /it has 3 fields/],
    ["* * * * * * 2030", /it has 7 fields/],
    ["2030-01-01T00:00:00", /it has 1 field/],
    ["@reboot", /it has 1 field/],
    ["61 * * * *", /Invalid value for minute: 61/],
    ["* 24 * * *", /Invalid value for hour: 24/],
    ["0-999999999999 * * * *", /Invalid value for minute/],
    ["*/999999999 * * * *", /steps cannot be greater/],
    ["5-1 * * * *", /From value is larger than to value/],
    ["a b c d e", /illegal characters/],
    ["* * * * FUNDAY", /illegal characters/],
    [`${"1,".repeat(500_000)}1 * * * *`, /longer than 200 characters/],
  ];
  for (const [expression, reason] of refused) {
    assert.throws(() => new Cron(expression), (error: unknown) => {
      assert.ok(error instanceof RangeError, expression);
      assert.match(error.message, reason, expression);
      assert.doesNotMatch(error.message, /CronPattern/);
      return true;
    }, expression);
  }
  assert.ok(performance.now() - beganMs < 20_000);
});

Deno.test("zone: one that does not exist is refused, and a city is enough for a hint", () => {
  assert.throws(() => new Zone("Mars/Olympus"), RangeError);
  assert.equal(new Zone("europe/berlin").name, "Europe/Berlin");
  assert.equal(similarZone("berlin"), "Europe/Berlin");
  assert.equal(similarZone("New York"), "America/New_York");
  assert.equal(similarZone("Olympus"), undefined);
});
