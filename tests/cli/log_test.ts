/** The log: formats, levels, and that a flood of events is counted, not dropped. */
import assert from "node:assert/strict";
import { createLog, formatPretty, type LogOptions } from "../../src/lib/log.ts";
import { LINES_PER_SECOND, logEvents } from "../../src/queue/event_log.ts";
import { EventBus, type QueueEvent } from "../../src/queue/events.ts";
import { eventually } from "../helpers/eventually.ts";
import { httpBench } from "../helpers/http.ts";
import { T0 } from "../helpers/jobs.ts";

function memoryLog(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "json",
    hasColor: false,
    clock: () => T0,
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines };
}

Deno.test("a JSON line holds time, level, event and the facts that are known", () => {
  const { log, lines } = memoryLog();
  log.warn("job.ended", { job: "a", ms: 5, error: undefined, worker: null });
  assert.deepEqual(lines, [
    '{"time":"2025-06-15T15:06:40.000Z","level":"warn","event":"job.ended","job":"a","ms":5,' +
    '"worker":null}\n',
  ]);
});

Deno.test("a pretty line quotes what could forge a field or a line", () => {
  const fields = { job: "a", error: "it\nfailed x=1", level: "", nothing: undefined };
  assert.equal(
    formatPretty({ atMs: T0, level: "error", event: "job.ended", fields }, false),
    '15:06:40.000 ERROR job.ended job=a error="it\\nfailed x=1" level=""\n',
  );
});

Deno.test("colours are used only when asked for", () => {
  const message = { atMs: T0, level: "warn", event: "x", fields: { a: 1 } } as const;
  assert.ok(formatPretty(message, true).includes("\x1b["));
  assert.ok(!formatPretty(message, false).includes("\x1b["));
});

Deno.test("levels below the chosen one are not written", () => {
  const { log, lines } = memoryLog({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), ["c", "d"]);
});

Deno.test("the log file gets every message as JSON, however the terminal's looks", () => {
  const file: string[] = [];
  const { log, lines } = memoryLog({ format: "pretty", writeFile: (line) => file.push(line) });
  log.info("hello", { a: 1 });
  assert.match(lines[0]!, /^15:06:40\.000 INFO {2}hello a=1\n$/);
  assert.equal(JSON.parse(file[0]!).event, "hello");
});

Deno.test("a log that cannot be written stops nothing", () => {
  const file: string[] = [];
  const { log } = memoryLog({
    write: () => {
      throw new Error("the terminal is gone");
    },
    writeFile: (line) => file.push(line),
  });
  log.info("still.here");
  assert.equal(file.length, 1);
});

function ended(state: "completed" | "dead"): QueueEvent {
  return {
    type: "job.ended",
    jobId: "a",
    queue: "default",
    kind: "count",
    worker: "w-1",
    attempt: 1,
    event: state === "dead" ? "bury" : "complete",
    state,
    durationMs: 1.4,
    ...(state === "dead" ? { error: { code: "error", message: "no" } } : {}),
  };
}

Deno.test("a flood of events is written up to the budget, and the rest is counted", async () => {
  const { log, lines } = memoryLog();
  const bus = new EventBus();
  using _events = logEvents(bus, { log });
  for (let index = 0; index < 5_000; index++) bus.emit(ended("completed"));
  bus.emit(ended("dead"));
  const written = lines.map((line) => JSON.parse(line));
  assert.equal(written.length, LINES_PER_SECOND + 1);
  assert.deepEqual(
    [written.at(-1).level, written.at(-1).state, written.at(-1).error],
    ["warn", "dead", "no"],
    "a failure is seen although successes have used up their budget",
  );
  await eventually(() => lines.length > LINES_PER_SECOND + 1, { what: "the rest is reported" });
  const { event, suppressed, state, count } = JSON.parse(lines.at(-1)!);
  assert.deepEqual(
    [event, suppressed, state, count],
    ["log.suppressed", "job.ended", "completed", 5_000 - LINES_PER_SECOND],
  );
});

Deno.test("the budget is new every second, and nothing is left uncounted at the end", async () => {
  const { log, lines } = memoryLog();
  const bus = new EventBus();
  const events = logEvents(bus, { log, windowMs: 20 });
  for (let index = 0; index < LINES_PER_SECOND + 1; index++) bus.emit(ended("completed"));
  assert.equal(lines.length, LINES_PER_SECOND);
  await eventually(() => lines.length > LINES_PER_SECOND, { what: "the second ends" });
  for (let index = 0; index < LINES_PER_SECOND + 1; index++) bus.emit(ended("completed"));
  assert.equal(lines.length, 2 * LINES_PER_SECOND + 1, "a new second, a new budget");
  events[Symbol.dispose]();
  assert.equal(JSON.parse(lines.at(-1)!).count, 1);
  bus.emit(ended("completed"));
  assert.equal(lines.length, 2 * LINES_PER_SECOND + 2, "it listens no more");
});

Deno.test("an add that is refused has no line", async () => {
  const { log, lines } = memoryLog();
  await using bench = await httpBench();
  using _events = logEvents(bench.queue.events, { log });
  await bench.queue.add({ kind: "count", payload: "a", id: "one" });
  await assert.rejects(bench.queue.add({ kind: "count", payload: "a", id: "one" }));
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), ["job.added"]);
});

Deno.test("every kind of event has a line", () => {
  const { log, lines } = memoryLog({ level: "debug" });
  const bus = new EventBus();
  using _events = logEvents(bus, { log });
  const job = { jobId: "a", queue: "q", kind: "count" };
  const all: QueueEvent[] = [
    { type: "job.added", ...job },
    { type: "job.started", ...job, worker: "w-1", attempt: 1, waitedMs: 0 },
    ended("completed"),
    { type: "job.reaped", jobId: "a", queue: "q", worker: null, state: "failed", attempts: 1 },
    { type: "cancel.requested", jobId: "a" },
    { type: "lease.lost", jobId: "a", worker: "w-1" },
    { type: "worker.started", worker: "w-1", restarts: 0 },
    { type: "worker.died", worker: "w-1", reason: "hang", message: "silent", pauseMs: 100 },
    { type: "store.unavailable", message: "disk full" },
    { type: "store.available" },
  ];
  for (const event of all) bus.emit(event);
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), all.map(({ type }) => type));
});
