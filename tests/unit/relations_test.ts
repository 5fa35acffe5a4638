/** Proves how the fields that few jobs have are read, and what jobs of a batch may say of each other. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidInputError, type Problem } from "../../src/job/errors.ts";
import { type ParseContext, parseNewJob, parseNewJobs } from "../../src/job/parse.ts";

const NOW_MS = 1_000_000;
let made = 0;
const context: ParseContext = {
  nowMs: NOW_MS,
  newId: () => `fresh-${++made}`,
  maxRetries: 3,
  timeoutMs: null,
  kinds: new Map([
    ["command", (payload) => ({ payload: JSON.stringify(payload) })],
    ["count", (payload) => ({ payload: String(payload) })],
  ]),
  cwd: null,
};

const parse = (fields: Record<string, unknown>) =>
  parseNewJob({ command: "true", ...fields }, context);

function problemsOf(read: () => unknown): readonly Problem[] {
  try {
    read();
  } catch (error) {
    if (error instanceof InvalidInputError) return error.problems;
    throw error;
  }
  return [];
}

const BACKOFFS: readonly [unknown, unknown][] = [
  ["exponential", { type: "exponential", base: 2 }],
  ["exponential:1.5", { type: "exponential", base: 1.5 }],
  ["linear", { type: "linear", delayMs: 2_000 }],
  ["linear:10s", { type: "linear", delayMs: 10_000 }],
  ["fixed:500ms", { type: "fixed", delayMs: 500 }],
  ["5s", { type: "list", delaysMs: [5_000] }],
  ["1s,5s, 30s", { type: "list", delaysMs: [1_000, 5_000, 30_000] }],
  [["1s", 5], { type: "list", delaysMs: [1_000, 5_000] }],
  [{ type: "linear", delay: "1s", cap: "1m" }, { type: "linear", delayMs: 1_000, capMs: 60_000 }],
  [{ type: "exponential", base: 3, cap: 9 }, { type: "exponential", base: 3, capMs: 9_000 }],
];

for (const [given, expected] of BACKOFFS) {
  Deno.test(`backoff ${JSON.stringify(given)} is understood`, () => {
    assert.deepEqual(parse({ backoff: given }).extras?.options?.retry?.backoff, expected);
  });
}

for (
  const given of [
    ...["", "quadratic", "linear:", "linear:soon", "exponential:0", "exponential:x", "fixed:-1s"],
    ...["1s,,2s", "1s;2s", 5, null, true, [], ["1s", "x"], Array(101).fill("1s"), {}],
    ...[{ type: "fixed", cap: "1h" }, { type: "linear", base: 2 }, { type: "linear", step: 1 }],
    ...[{ type: "exponential", delay: "1s" }, { type: "fixed", delay: "4000d" }, "linear:4000d"],
  ]
) {
  Deno.test(`backoff ${JSON.stringify(given)?.slice(0, 40)} is refused with what was expected`, () => {
    const [problem, ...others] = problemsOf(() => parse({ backoff: given }));
    assert.equal(problem?.pointer, "/backoff");
    assert.match(problem.detail, /^backoff: .*(expected|knows no)/);
    assert.deepEqual(others, []);
  });
}

Deno.test("retry_on takes a code, a list of them, and a list as text", () => {
  for (
    const [given, codes] of [[75, [75]], [[1, 2, 1], [1, 2]], ["75", [75]], ["75, 111", [75, 111]]]
  ) {
    assert.deepEqual(parse({ retry_on: given }).extras?.options?.retry?.exitCodes, codes);
  }
  for (const given of [0, 256, "0", "x", "1,", [], [1.5], ["1"], null, Array(101).fill(1)]) {
    assert.equal(problemsOf(() => parse({ retry_on: given }))[0]?.pointer, "/retry_on");
  }
});

Deno.test("retry_on is refused for what has no exit code", () => {
  const read = () => parseNewJob({ kind: "count", payload: "x", retry_on: 1 }, context);
  assert.deepEqual(problemsOf(read).map(({ pointer }) => pointer), ["/retry_on"]);
});

Deno.test("max_age counts from when the job is due first", () => {
  const untilMs = (fields: Record<string, unknown>) =>
    parse({ max_age: "1h", ...fields }).extras?.options?.retry?.untilMs;
  assert.equal(untilMs({}), NOW_MS + 3_600_000);
  assert.equal(untilMs({ delay: "1m" }), NOW_MS + 3_660_000);
  assert.equal(untilMs({ run_at: "1970-01-01T00:00:00Z" }), NOW_MS + 3_600_000);
});

Deno.test("every wrong field of a job is named at once, on_conflict and after_on alone too", () => {
  const fields = {
    ...{ key: "", unique_key: "a\u0000b", after: ["a b"], after_on: "never", jitter: 1.1 },
    ...{ retry_on: [], max_age: 0, backoff: "x", callback_url: "ftp://x", on_conflict: "wait" },
  };
  const pointers = problemsOf(() => parse(fields)).map(({ pointer }) => pointer);
  assert.deepEqual(pointers.sort(), Object.keys(fields).map((name) => `/${name}`).sort());
  const alone = problemsOf(() => parse({ on_conflict: "return", after_on: "any" }));
  assert.deepEqual(alone.map(({ pointer }) => pointer).sort(), ["/after_on", "/on_conflict"]);
});

Deno.test("a key that is no proper text is refused, not changed", () => {
  for (const key of ["\ud800", "a\u007f", "x".repeat(257), 5]) {
    assert.equal(problemsOf(() => parse({ unique_key: key }))[0]?.pointer, "/unique_key");
  }
  assert.equal(parse({ unique_key: "grüße 👋" }).extras?.unique?.key, "grüße 👋");
});

Deno.test("after takes one id, several, and several as text; each counts once", () => {
  for (const [given, ids] of [["a", ["a"]], [["a", "b", "a"], ["a", "b"]], ["a, b", ["a", "b"]]]) {
    assert.deepEqual(parse({ after: given }).extras?.after, { ids, on: "success" });
  }
  for (const given of ["", "a,", [], [1], {}, Array.from({ length: 101 }, (_, n) => `j-${n}`)]) {
    assert.equal(problemsOf(() => parse({ after: given }))[0]?.pointer, "/after");
  }
});

/** A batch from `id: the ids that it waits for`. */
const batch = (jobs: Record<string, string[]>) =>
  Object.entries(jobs).map(([id, after]) => ({
    ...{ id, command: "true" },
    ...(after.length === 0 ? {} : { after }),
  }));

Deno.test("a batch may wait for each other in any order", () => {
  const jobs = batch({ d: ["b", "c"], b: ["a"], c: ["a"], a: [], e: ["elsewhere"] });
  assert.equal(parseNewJobs(jobs, context).length, 5);
});

Deno.test("a cycle in a batch is refused and named", () => {
  const read = () => parseNewJobs(batch({ x: ["a"], a: ["b"], b: ["c"], c: ["a"] }), context);
  assert.deepEqual(problemsOf(read), [{
    detail: "after: these jobs wait for each other, so that none could ever run: a -> b -> c -> a",
    pointer: "/3/after",
  }]);
  const [own] = problemsOf(() => parseNewJobs(batch({ a: ["a"] }), context));
  assert.match(own!.detail, /cannot wait for itself/);
});

Deno.test("every separate cycle is named, and a long one in short", () => {
  const two = problemsOf(() =>
    parseNewJobs(batch({ a: ["b"], b: ["a"], c: ["d"], d: ["c"] }), context)
  );
  assert.equal(two.length, 2);
  const long = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, n) => [`j-${n}`, [`j-${(n + 1) % 10_000}`]]),
  );
  const [problem, ...others] = problemsOf(() => parseNewJobs(batch(long), context));
  assert.deepEqual(others, []);
  assert.match(problem!.detail, /j-0 -> .* -> j-9 -> \(9990 more\) -> j-0$/);
});

Deno.test("a batch is refused exactly when its jobs wait for each other in a circle", () => {
  const graph = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(graph, (edges) => {
    const after = edges.map((ends, from) => ends.filter((to) => to < edges.length && to !== from));
    const jobs = Object.fromEntries(after.map((ends, n) => [`j${n}`, ends.map((to) => `j${to}`)]));
    // Take away, again and again, what waits for nothing that is left: circles stay.
    let left = new Set(after.keys());
    while (true) {
      const next = new Set([...left].filter((n) => after[n]!.some((to) => left.has(to))));
      if (next.size === left.size) break;
      left = next;
    }
    assert.equal(problemsOf(() => parseNewJobs(batch(jobs), context)).length > 0, left.size > 0);
  }));
});

Deno.test("the same unique key twice in a batch is refused at the second place", () => {
  const jobs = ["a", "b", "a"].map((unique_key) => ({ command: "true", unique_key }));
  const problems = problemsOf(() => parseNewJobs(["bad", ...jobs], context));
  assert.deepEqual(problems.map(({ pointer }) => pointer), ["/0", "/3/unique_key"]);
  assert.match(problems[1]!.detail, /"a" stands twice in the batch, first in job 2/);
});
