/** Proves what may be asked for as a job, and what is said when it may not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidInputError, type Problem } from "../../src/job/errors.ts";
import { BUILT_IN_KINDS, LIMITS, type NewJob } from "../../src/job/job.ts";
import { describe, parseNewJob, parseNewJobs } from "../../src/job/parse.ts";
import type { ParseContext, PayloadParser } from "../../src/job/parse.ts";
import { ACCEPTED, NOW_MS, REFUSED } from "../helpers/field_examples.ts";

/** Two kinds as small as can be: one takes anything, one takes what a command may be. */
const KINDS = new Map<string, PayloadParser>([
  ["echo", (payload) => ({ payload: JSON.stringify(payload) })],
  [
    "command",
    (payload, { cwd }) =>
      typeof payload === "string" || Array.isArray(payload)
        ? { payload: JSON.stringify({ run: payload, cwd }) }
        : { problem: "no command" },
  ],
  ["picky", () => ({ problem: "never right" })],
]);

const CONTEXT: ParseContext = {
  nowMs: NOW_MS,
  newId: () => "new-id",
  maxRetries: 3,
  timeoutMs: null,
  kinds: KINDS,
  cwd: null,
};

const parse = (input: unknown, context: Partial<ParseContext> = {}): NewJob =>
  parseNewJob(input, { ...CONTEXT, ...context });

function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.ok(error.problems.length > 0);
    return error.problems;
  }
  assert.fail("expected the input to be refused, but it was accepted");
}

/** The one problem of a job that is right but for the given fields. */
function onlyProblem(fields: Record<string, unknown>): Problem {
  const problems = problemsOf(() => parse({ kind: "echo", payload: 1, ...fields }));
  assert.equal(problems.length, 1, JSON.stringify(problems));
  return problems[0]!;
}

Deno.test("the least that describes a job is a kind and a payload; the rest has defaults", () => {
  assert.deepEqual(parse({ kind: "echo", payload: { a: 1 } }), {
    id: "new-id",
    isIdFresh: true,
    queue: "default",
    kind: "echo",
    payload: '{"a":1}',
    priority: 0,
    runAtMs: NOW_MS,
    maxRetries: 3,
    timeoutMs: null,
    extras: null,
  });
});

Deno.test("a job may be described by a command alone", () => {
  const job = parse({ id: "job1", command: "echo hi" });
  assert.equal(job.kind, "command");
  assert.equal(job.payload, '{"run":"echo hi","cwd":null}');
  assert.deepEqual([job.id, job.isIdFresh], ["job1", false]);
});

Deno.test("defaults come from the settings: retries, timeout, directory", () => {
  const job = parse({ command: ["ls"] }, { maxRetries: 7, timeoutMs: 5_000, cwd: "/here" });
  assert.equal(job.maxRetries, 7);
  assert.equal(job.timeoutMs, 5_000);
  assert.equal(job.payload, '{"run":["ls"],"cwd":"/here"}');
});

Deno.test("what the job says comes before the settings", () => {
  const input = { command: "ls", cwd: "/there", max_retries: 0, timeout: "1s" };
  const job = parse(input, { maxRetries: 7, timeoutMs: 5_000, cwd: "/here" });
  assert.equal(job.maxRetries, 0);
  assert.equal(job.timeoutMs, 1_000);
  assert.equal(job.payload, '{"run":"ls","cwd":"/there"}');
});

for (const [field, value, key, expected] of ACCEPTED) {
  const shown = JSON.stringify(value).slice(0, 60);
  Deno.test(`${field} ${shown} is accepted`, () => {
    assert.equal(parse({ kind: "echo", payload: 1, [field]: value })[key], expected);
  });
}

for (const [field, values, expected] of REFUSED) {
  for (const value of values) {
    const shown = (JSON.stringify(value) ?? String(value)).slice(0, 60);
    Deno.test(`${field} ${shown} is refused, naming what was expected and found`, () => {
      const { detail, pointer } = onlyProblem({ [field]: value });
      assert.equal(pointer, `/${field}`);
      assert.match(detail, expected);
      assert.match(detail, new RegExp(`^${field}: `));
      assert.match(detail, /, got /);
    });
  }
}

Deno.test("cwd must be an absolute path, and only commands have one", () => {
  assert.equal(parse({ command: "ls", cwd: "/tmp" }).payload, '{"run":"ls","cwd":"/tmp"}');
  for (const cwd of ["", "relative", "/a\0b", `/${"x".repeat(4_096)}`, 1, null]) {
    const problems = problemsOf(() => parse({ command: "ls", cwd }));
    assert.deepEqual(problems.map(({ pointer }) => pointer), ["/cwd"]);
    assert.match(problems[0]!.detail, /expected an absolute path/);
  }
  assert.match(onlyProblem({ cwd: "/tmp" }).detail, /only commands/);
});

Deno.test("a command must be a string or an array", () => {
  for (const command of [1, null, {}, true]) {
    const problems = problemsOf(() => parse({ command }));
    assert.ok(problems.some(({ pointer }) => pointer === "/command"), JSON.stringify(problems));
  }
});

Deno.test("fields that contradict each other are refused", () => {
  const pointers = (input: unknown) => problemsOf(() => parse(input)).map(({ pointer }) => pointer);
  assert.deepEqual(pointers({ command: "ls", payload: "ls" }), ["/payload"]);
  assert.deepEqual(pointers({ command: "ls", kind: "echo" }), ["/kind"]);
  const both = { kind: "echo", payload: 1, delay: "1s", run_at: "2030-01-01" };
  assert.deepEqual(pointers(both), ["/delay"]);
});

Deno.test("kind command beside a command is no contradiction", () => {
  assert.equal(parse({ kind: "command", command: "ls" }).kind, "command");
});

Deno.test("a kind of a user may go without a payload: it is given null", () => {
  assert.equal(parse({ kind: "echo" }).payload, parse({ kind: "echo", payload: null }).payload);
  for (const kind of BUILT_IN_KINDS) {
    const details = problemsOf(() => parse({ kind })).map(({ detail }) => detail);
    assert.ok(details.includes("payload: missing"), kind);
  }
});

Deno.test("no id, queue or kind is called . or .., because no URL could name it", () => {
  for (const name of [".", ".."]) {
    for (const field of ["id", "queue"]) {
      const [problem] = problemsOf(() => parse({ command: "ls", [field]: name }));
      assert.match(problem!.detail, /but not "\." or "\.\.", which no URL can name, got "\.+"$/);
    }
  }
  assert.equal(parse({ command: "ls", id: "..." }).id, "...");
});

Deno.test("a missing kind, a missing payload and an unknown kind are each named", () => {
  assert.match(problemsOf(() => parse({}))[0]!.detail, /^kind: missing; expected one of "echo"/);
  const noPayload = problemsOf(() => parse({ kind: "command" }));
  assert.deepEqual(noPayload, [{ detail: "payload: missing", pointer: "/payload" }]);
  assert.match(
    problemsOf(() => parse({ kind: "mail", payload: 1 }))[0]!.detail,
    /expected one of "echo", "command", "picky", got "mail"/,
  );
});

Deno.test("what a kind says of its payload is passed on", () => {
  const problems = problemsOf(() => parse({ kind: "picky", payload: 1 }));
  assert.deepEqual(problems, [{ detail: "payload: never right", pointer: "/payload" }]);
});

Deno.test("null is a payload like any other", () => {
  assert.equal(parse({ kind: "echo", payload: null }).payload, "null");
});

Deno.test("an unknown field is refused with what it may have meant", () => {
  const meant: Record<string, string> = { cmd: "command", maxRetries: "max_retries", type: "kind" };
  for (const [key, field] of Object.entries(meant)) {
    assert.match(onlyProblem({ [key]: 1 }).detail, new RegExp(`did you mean "${field}"\\?$`));
  }
  assert.match(onlyProblem({ colour: 1 }).detail, /the fields are id, queue, kind, payload/);
});

Deno.test("fields named like parts of an object are unknown fields, no more", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const input = JSON.parse(`{"kind":"echo","payload":1,"${key}":{"kind":"x"}}`);
    const problems = problemsOf(() => parse(input));
    assert.deepEqual(problems.map(({ pointer }) => pointer), [`/${key}`]);
  }
});

Deno.test("a pointer escapes what JSON Pointer reserves", () => {
  assert.equal(onlyProblem({ "a/b~c": 1 }).pointer, "/a~1b~0c");
});

Deno.test("every problem is said at once, in one answer", () => {
  const problems = problemsOf(() =>
    parse({ id: "", queue: 1, kind: 7, priority: "high", run_at: "soon", delay: 1, extra: 1 })
  );
  const pointers = problems.map(({ pointer }) => pointer).sort();
  assert.deepEqual(
    new Set(pointers),
    new Set([
      "/delay",
      "/extra",
      "/id",
      "/kind",
      "/payload",
      "/priority",
      "/queue",
      "/run_at",
    ]),
  );
});

Deno.test("what is no object is refused as a whole", () => {
  for (const input of [null, undefined, 1, "job", true, [], [{ kind: "echo" }]]) {
    const problems = problemsOf(() => parse(input));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!.detail, /expected a JSON object that describes a job, got /);
    assert.equal(problems[0]!.pointer, "");
  }
});

Deno.test("messages never repeat the whole of a large value", () => {
  const huge = "x".repeat(1_000_000);
  for (const fields of [{ id: huge }, { queue: huge }, { run_at: huge }, { [huge]: 1 }]) {
    const { detail, pointer } = onlyProblem(fields);
    assert.ok(detail.length < 400 && pointer.length < 400, `${detail.length}, ${pointer.length}`);
  }
  assert.ok(problemsOf(() => parse({ kind: huge, payload: 1 }))[0]!.detail.length < 400);
});

Deno.test("describe() says in a few words what a value is", () => {
  const cases: [unknown, string][] = [
    [null, "null"],
    [undefined, "nothing"],
    [[1, 2], "an array of 2"],
    [{}, "an object"],
    ["a\n", '"a\\n"'],
    [1.5, "1.5"],
    [true, "true"],
  ];
  for (const [value, text] of cases) assert.equal(describe(value), text);
});

Deno.test("parsing accepts or refuses any JSON, and never throws anything else", () => {
  const field = fc.constantFrom(
    ...["id", "queue", "kind", "payload", "command", "cwd", "priority", "run_at", "delay"],
    ...["max_retries", "timeout", "x"],
  );
  const anyInput = fc.oneof(fc.jsonValue(), fc.dictionary(field, fc.jsonValue()));
  fc.assert(
    fc.property(anyInput, (input) => {
      try {
        const job = parse(input);
        assert.ok(Number.isSafeInteger(job.runAtMs) && Number.isSafeInteger(job.priority));
      } catch (error) {
        assert.ok(error instanceof InvalidInputError, String(error));
        for (const { pointer } of error.problems) assert.match(pointer, /^(\/.*)?$/s);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("JSON nested a hundred thousand deep is refused where no depth is expected", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  assert.equal(onlyProblem({ queue: deep }).pointer, "/queue");
  assert.match(problemsOf(() => parse(deep))[0]!.detail, /got an array of 1/);
});

Deno.test("parseNewJobs() gives the jobs in order", () => {
  const jobs = parseNewJobs([{ command: "a" }, { id: "b", command: "b" }], CONTEXT);
  assert.deepEqual(jobs.map(({ id }) => id), ["new-id", "b"]);
});

Deno.test("parseNewJobs() says the problems of all of them, each with its place", () => {
  const inputs = [{ command: "a" }, { command: 1 }, 7, { command: "a", priority: "x" }];
  const problems = problemsOf(() => parseNewJobs(inputs, CONTEXT));
  const pointers = new Set(problems.map(({ pointer }) => pointer));
  assert.deepEqual(pointers, new Set(["/1/command", "/2", "/3/priority"]));
});

Deno.test("parseNewJobs() refuses an id that stands twice, saying where it stood first", () => {
  const inputs = ["a", "b", "a", "a"].map((id) => ({ id, command: "x" }));
  const problems = problemsOf(() => parseNewJobs(inputs, CONTEXT));
  assert.deepEqual(problems.map(({ pointer }) => pointer), ["/2/id", "/3/id"]);
  assert.match(problems[0]!.detail, /"a" stands twice in the batch, first in job 1/);
});

Deno.test("parseNewJobs() refuses none and more than the limit, and takes the limit", () => {
  const job = { command: "x" };
  const most = Array.from({ length: LIMITS.batchJobs }, () => job);
  assert.equal(parseNewJobs(most, CONTEXT).length, LIMITS.batchJobs);
  assert.match(problemsOf(() => parseNewJobs([], CONTEXT))[0]!.detail, /at least one job/);
  const tooMany = problemsOf(() => parseNewJobs([...most, job], CONTEXT));
  assert.match(tooMany[0]!.detail, /at most 10000 jobs at once, got 10001/);
});

Deno.test("parseNewJob() puts the prefix before every pointer", () => {
  const problems = problemsOf(() => parseNewJob({ command: "x", id: "" }, CONTEXT, "/7"));
  assert.deepEqual(problems.map(({ pointer }) => pointer), ["/7/id"]);
});
