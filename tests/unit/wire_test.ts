/** Proves what counts as a line of the protocol of handler programs, and what does not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Line, LineSplitter } from "../../src/handlers/line_splitter.ts";
import { hear } from "../../src/handlers/wire.ts";

function said(line: unknown) {
  const heard = hear(JSON.stringify(line));
  assert.ok("said" in heard, `refused: ${JSON.stringify(heard)}`);
  return heard.said;
}

function problem(line: unknown): string {
  const heard = hear(typeof line === "string" ? line : JSON.stringify(line));
  assert.ok("problem" in heard, `accepted: ${JSON.stringify(heard)}`);
  return heard.problem;
}

Deno.test("every kind of line that PROTOCOL.md tells of is understood", () => {
  assert.deepEqual(said({ type: "ready", protocol: 1 }), { type: "ready", kinds: [], files: [] });
  assert.deepEqual(said({ type: "log", text: "a" }), { type: "log", stream: "stdout", text: "a" });
  assert.deepEqual(said({ type: "progress", value: 0.5 }), {
    type: "progress",
    value: 0.5,
    text: null,
  });
  assert.deepEqual(said({ type: "enqueue", job: { kind: "x" } }), {
    type: "enqueue",
    job: { kind: "x" },
    ref: null,
  });
  assert.deepEqual(said({ type: "artifact", path: "/tmp/a/b.png" }), {
    type: "artifact",
    path: "/tmp/a/b.png",
    name: "b.png",
  });
  assert.deepEqual(said({ type: "result", result: [1] }), { type: "result", result: [1] });
  assert.deepEqual(said({ type: "result" }), { type: "result", result: null });
  assert.deepEqual(said({ type: "error", message: "no", retry_after: "2m" }), {
    type: "error",
    message: "no",
    retryAfterMs: 120_000,
  });
  assert.deepEqual(said({ type: "cancel" }), { type: "cancel", message: null });
  assert.deepEqual(said({ type: "snooze", delay: 1.5 }), { type: "snooze", delayMs: 1_500 });
});

Deno.test("fields that nobody knows are passed over, for programs of a later day", () => {
  assert.equal(said({ type: "result", result: 1, colour: "green" }).type, "result");
});

Deno.test("a line may name its job", () => {
  const heard = hear('{"type":"result","id":"job1"}');
  assert.ok("said" in heard && heard.id === "job1");
});

Deno.test("what is wrong with a line is said, with what was expected and found", () => {
  const cases: [unknown, RegExp][] = [
    ["hello", /not JSON: "hello"/],
    ["[1]", /expected a JSON object with a "type"/],
    ["null", /expected a JSON object/],
    [{ type: "done" }, /of the type "done"; expected one of ready, .*result/],
    [{ result: 1 }, /of the type nothing/],
    [{ type: "toString" }, /of the type "toString"/],
    [{ type: "result", id: 5 }, /"result" whose id: expected a text, got 5/],
    [{ type: "ready", protocol: 2 }, /protocol: expected 1, got 2/],
    [{ type: "progress", value: 50 }, /value: expected a number from 0 to 1, got 50/],
    [{ type: "progress" }, /value: expected a number from 0 to 1, got nothing/],
    [{ type: "progress", value: 1, text: "x".repeat(1_001) }, /at most 1000 characters, got 1001/],
    [{ type: "error" }, /message: expected a text, got nothing/],
    [{ type: "error", message: "no", retry_after: "soon" }, /retry_after: expected a duration/],
    [{ type: "snooze" }, /delay: expected a duration .* got nothing/],
    [{ type: "snooze", delay: -1 }, /delay: expected/],
    [{ type: "log", text: "a", stream: "stdlog" }, /stream: expected "stdout" or "stderr"/],
    [{ type: "artifact", path: "/etc/passwd", name: "../x" }, /name: expected a file name/],
    [{ type: "artifact", path: "dir/" }, /name: expected a file name/],
  ];
  for (const [line, pattern] of cases) assert.match(problem(line), pattern);
});

Deno.test("a long line of garbage is shown by its beginning", () => {
  assert.ok(problem("x".repeat(1_000_000)).length < 200);
});

Deno.test("no line whatever makes the reader throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map((value) => JSON.stringify({ type: "progress", value })),
      ),
      (line) => {
        hear(line);
      },
    ),
  );
});

Deno.test("lines come whole, however the bytes are cut", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ minLength: 1 }).map((text) => `"${encodeURIComponent(text)}"`)),
    fc.integer({ min: 1, max: 7 }),
    (texts, step) => {
      const bytes = new TextEncoder().encode(texts.join("\n"));
      const lines: string[] = [];
      const splitter = new LineSplitter({
        limitBytes: 1_000,
        onLine: (line) => lines.push("text" in line ? line.text : "too long"),
      });
      for (let at = 0; at < bytes.length; at += step) splitter.push(bytes.slice(at, at + step));
      splitter.end();
      assert.deepEqual(lines, texts);
    },
  ));
});

Deno.test("a line over the limit is told once, and nothing after it is kept", () => {
  const lines: Line[] = [];
  const splitter = new LineSplitter({ limitBytes: 10, onLine: (line) => lines.push(line) });
  const push = (text: string) => splitter.push(new TextEncoder().encode(text));
  push("short\n");
  for (let piece = 0; piece < 100; piece++) push("long ");
  push("\nshort\n");
  splitter.end();
  assert.deepEqual(lines, [{ text: "short" }, { tooLong: true }]);
});
