/** Proves that the schema of each field of a job says what its parser does. */
import assert from "node:assert/strict";
import Ajv2020 from "ajv/dist/2020.js";
import { JOB_FIELDS, JOB_SCHEMA } from "../../src/job/parse.ts";
import { ACCEPTED, REFUSED } from "../helpers/field_examples.ts";

const ajv = new Ajv2020.default({ strict: true, strictRequired: false });

type FieldName = keyof typeof JOB_FIELDS;

const validators = new Map(
  Object.entries(JOB_FIELDS).map(([name, { schema }]) => [name, ajv.compile(schema)]),
);

function isValid(field: string, value: unknown): boolean {
  return validators.get(field)!(value);
}

function isParsed(field: string, value: unknown): boolean {
  return "value" in JOB_FIELDS[field as FieldName].parse(value);
}

/** What no schema can say: ranges of durations in words, the calendar, times before 1970. */
const ONLY_PARSED = new Set(
  ["0s", "31d", "3651d", "2030-02-30T10:00:00Z", "2027-02-29", "1969-12-31T23:59:59Z"],
);

/** Fields of which the tables say nothing. */
const MORE: readonly [field: FieldName, accepted: unknown[], refused: unknown[]][] = [
  ["kind", ["count", "a.b-c"], ["", "a b", 7]],
  ["payload", [null, 1, "x", { a: [] }], []],
  ["command", ["ls", ["ls", "-l"]], [1, null, {}]],
  ["cwd", ["/", "/srv/app"], ["", "srv", "/a\0b", `/${"x".repeat(4_096)}`, 1]],
  ["key", ["ann", "ä b", "x".repeat(256)], ["", "a\nb", "x".repeat(257), 1, null]],
  ["unique_key", ["sync"], ["", "a\x7f"]],
  ["on_conflict", ["return", "replace", "refuse"], ["no", 1, null]],
  ["after", ["a", "a,b", "a, b", ["a", "b"]], ["", "a,,b", "a b", [], [1], ["a,b"], null, {}]],
  ["after_on", ["success", "failure", "any"], ["never", 1]],
  ["callback_url", ["https://a.example/x?y=1", "HTTP://a"], ["ftp://a", "a.example", 1, null]],
  [
    "backoff",
    [
      ...["exponential", "exponential:3", "linear:10s", "1s,5s,30s", ["1s", 5, "1m"]],
      { type: "exponential", base: 1.5, cap: "1h" },
      { type: "linear", delay: "10s", cap: 60 },
      { type: "fixed", delay: 5 },
    ],
    [
      ...[null, 5, [], [true], {}, { type: "other" }, { type: "fixed", cap: "1s" }],
      { type: "linear", base: 2 },
      { type: "exponential", base: 0 },
      { type: "linear", delay: -1 },
    ],
  ],
  ["jitter", [0, 0.2, 1], [-0.1, 1.1, "0.2", null]],
  ["retry_on", [75, "75", "75, 111", [1, 255]], [0, 256, "x", [], [0], [1.5], null]],
  ["max_age", ["1h", 60], [0, "soon", null]],
];

Deno.test("what a field's parser accepts, its schema accepts", () => {
  const cases = [
    ...ACCEPTED.map(([field, value]) => [field, value] as const),
    ...MORE.flatMap(([field, accepted]) => accepted.map((value) => [field, value] as const)),
  ];
  for (const [field, value] of cases) {
    const what = `${field} ${JSON.stringify(value)}`;
    assert.ok(isParsed(field, value), what);
    assert.ok(isValid(field, value), what);
  }
});

Deno.test("what a field's parser refuses, its schema refuses, where a schema can say it", () => {
  const cases = [
    ...REFUSED.flatMap(([field, values]) => values.map((value) => [field, value] as const)),
    ...MORE.flatMap(([field, , refused]) => refused.map((value) => [field, value] as const)),
  ];
  for (const [field, value] of cases) {
    if (typeof value === "number" && !Number.isFinite(value)) continue; // no JSON
    const what = `${field} ${JSON.stringify(value)}`;
    assert.ok(!isParsed(field, value), what);
    assert.equal(isValid(field, value), ONLY_PARSED.has(value as string), what);
  }
});

Deno.test("every field has examples here, and says what it is for", () => {
  const told = new Set([...ACCEPTED, ...MORE].map(([field]) => field));
  for (const [name, { schema }] of Object.entries(JOB_FIELDS)) {
    assert.ok(told.has(name), name);
    assert.match(String((schema as { description?: string }).description), /\.$/, name);
  }
});

Deno.test("the schema of a job says which fields belong together", () => {
  const isJob = ajv.compile(JOB_SCHEMA);
  const jobs: [valid: boolean, job: unknown][] = [
    [true, { command: "ls" }],
    [true, { kind: "count", payload: "Hello" }],
    [true, { command: "ls", unique_key: "a", on_conflict: "refuse", after: "b", after_on: "any" }],
    [false, {}],
    [false, { kind: "count" }],
    [false, { command: "ls", delay: "1s", run_at: "2030-01-01" }],
    [false, { command: "ls", on_conflict: "refuse" }],
    [false, { command: "ls", after_on: "any" }],
    [false, { command: "ls", colour: 1 }],
    [false, [{ command: "ls" }]],
  ];
  for (const [valid, job] of jobs) assert.equal(isJob(job), valid, JSON.stringify(job));
});
