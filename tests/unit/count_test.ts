/** Proves the kind `count`. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { count, countCharacters } from "../../src/handlers/count.ts";
import type { HandlerContext } from "../../src/handlers/handler.ts";
import type { LeasedJob } from "../../src/job/job.ts";

const HTTP = { allowsPrivate: false, timeoutMs: 1, responseLimitBytes: 1, caFile: null };

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("countCharacters() equals the number of code points of any text", () => {
  const anyText = fc.string({ unit: "binary", maxLength: 500 });
  fc.assert(fc.property(anyText, (text) => countCharacters(encode(text)) === [...text].length));
});

Deno.test("countCharacters() counts as Python's len does", () => {
  const cases: [string, number][] = [
    ["", 0],
    ["abc", 3],
    ["\uFEFFabc", 4], // a byte-order mark counts
    ["\uFEFF", 1],
    ["a\0b", 3],
    ["a\r\nb", 4],
    ["\u00e9", 1],
    ["e\u0301", 2],
    ["\u20ac", 1],
    ["\u{1F600}", 1],
    ["\u{1F468}\u200D\u{1F469}\u200D\u{1F467}", 5],
    ["\u{10FFFF}", 1],
  ];
  for (const [text, characters] of cases) {
    assert.equal(countCharacters(encode(text)), characters, JSON.stringify(text));
  }
});

Deno.test("count keeps bytes as they are and turns a string into UTF-8", () => {
  const bytes = encode("abc");
  assert.deepEqual(count.parsePayload(bytes, { cwd: null }), { payload: bytes });
  assert.deepEqual(count.parsePayload("\uFEFFé", { cwd: null }), { payload: encode("\uFEFFé") });
});

Deno.test("count refuses payloads that are no text, saying what it got", () => {
  for (const payload of [1, true, null, ["a"], { text: "a" }]) {
    const parsed = count.parsePayload(payload, { cwd: null });
    assert.ok("problem" in parsed);
    assert.match(parsed.problem, /expected .* string, got (1|true|null|an array of 1|an object)$/);
  }
});

const settings = {
  outputLimitBytes: 0,
  resultLimitBytes: 1024,
  simulatedWorkMs: 0,
  passEnv: [],
  http: HTTP,
};

function context(overrides: Partial<HandlerContext> = {}): HandlerContext {
  return {
    signal: new AbortController().signal,
    holder: "process-1",
    settings,
    writeOutput: () => assert.fail("count writes no output"),
    setProcessGroup: () => assert.fail("count starts no process"),
    reportProgress() {},
    enqueue: () => Promise.resolve({ id: "never" }),
    ...overrides,
  };
}

const job: LeasedJob = {
  seq: 1,
  token: 1,
  id: "a",
  queue: "default",
  kind: "count",
  payload: encode("\u{1F600}!"),
  attempts: 0,
  maxRetries: 0,
  timeoutMs: null,
  options: null,
  dueAtMs: 0,
  hasFiles: false,
};

Deno.test("count succeeds at once with the number of characters", () => {
  assert.deepEqual(count.run(job, context()), { type: "succeeded", result: '{"characters":2}' });
});

Deno.test("count takes the simulated time, and then gives the same result", async () => {
  const startedAtMs = performance.now();
  const simulated = { ...settings, simulatedWorkMs: 30 };
  const end = await count.run(job, context({ settings: simulated }));
  assert.deepEqual(end, { type: "succeeded", result: '{"characters":2}' });
  assert.ok(performance.now() - startedAtMs >= 29);
});

Deno.test("count stops simulated work when it is aborted", async () => {
  const controller = new AbortController();
  const simulated = { ...settings, simulatedWorkMs: 3_600_000 };
  const running = count.run(job, context({ signal: controller.signal, settings: simulated }));
  controller.abort(new Error("stopped"));
  await assert.rejects(Promise.resolve(running), /stopped/);
});

Deno.test("count stops simulated work when it was aborted before it began", async () => {
  const simulated = { ...settings, simulatedWorkMs: 3_600_000 };
  const signal = AbortSignal.abort(new Error("stopped"));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("went on in spite of the abort")), 30_000);
  });
  const running = Promise.resolve(count.run(job, context({ signal, settings: simulated })));
  await assert.rejects(Promise.race([running, late]), /stopped/);
  clearTimeout(timer);
});

Deno.test("count shares a worker's slot only while it does not pretend to work", () => {
  assert.ok(count.chunk(settings) > 1);
  assert.equal(count.chunk({ ...settings, simulatedWorkMs: 1 }), 1);
});
