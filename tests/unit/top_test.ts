/** What `top` and `status --watch` draw, and what keys do: all of it pure. */
import assert from "node:assert/strict";
import pc from "picocolors";
import type { Content, JobPage } from "../../src/cli/top/content.ts";
import { jobLines } from "../../src/cli/top/job_lines.ts";
import { type Key, KeyReader } from "../../src/cli/top/keys.ts";
import { fit, paint, plainText, widthOf } from "../../src/cli/top/line.ts";
import { type Scene, screenLines, shownOf } from "../../src/cli/top/screen_lines.ts";
import { sparkline } from "../../src/cli/top/sparkline.ts";
import { press, type Shown, START, type TopState } from "../../src/cli/top/state.ts";
import { statusLines } from "../../src/cli/top/status_lines.ts";
import { tableLines } from "../../src/cli/top/table.ts";
import type { Job } from "../../src/job/job.ts";
import type { Stats, WorkerStatus } from "../../src/store/store.ts";
import { T0 } from "../helpers/jobs.ts";

const PLAIN = pc.createColors(false);
const NOTHING = { added: 0, completed: 0, failedAttempts: 0, dead: 0, cancelled: 0 };
const COUNTS = {
  pending: 12,
  started: 0,
  processing: 2,
  completed: 340,
  failed: 0,
  dead: 1,
  cancelled: 0,
};

function stats(overrides: Partial<Stats> = {}): Stats {
  const rules = { pausedAtMs: null, maxRunning: null, rate: null, keyMaxRunning: null };
  return {
    counts: COUNTS,
    queues: [
      { queue: "default", counts: COUNTS, rules, oldestReadyAtMs: T0 - 5_000 },
      { queue: "mail", counts: COUNTS, rules: { ...rules, pausedAtMs: T0 }, oldestReadyAtMs: null },
    ],
    lastMinute: { ...NOTHING, completed: 90, failedAttempts: 3 },
    lastHour: NOTHING,
    oldestReadyAtMs: T0 - 5_000,
    ...overrides,
  };
}

function job(overrides: Partial<Job> = {}): Job {
  return {
    seq: 1,
    id: "job-1",
    queue: "default",
    kind: "command",
    state: "processing",
    priority: 0,
    runAtMs: T0 - 60_000,
    attempts: 0,
    maxRetries: 3,
    timeoutMs: null,
    createdAtMs: T0 - 60_000,
    updatedAtMs: T0,
    startedAtMs: T0 - 2_000,
    finishedAtMs: null,
    worker: "w-1",
    token: 1,
    leaseExpiresAtMs: null,
    cancelRequestedAtMs: null,
    lastError: null,
    result: null,
    key: null,
    options: null,
    isDependent: false,
    hasFiles: false,
    ...overrides,
  } as Job;
}

const WORKER: WorkerStatus = {
  holder: "h",
  label: "w-1",
  pid: 4711,
  host: "",
  processStart: "",
  role: "serve",
  status: "idle",
  restarts: 0,
  startedAtMs: T0,
  heartbeatAtMs: T0,
  jobId: "job-1",
};

function content(jobs: readonly Job[], overrides: Partial<Content> = {}): Content {
  return {
    overview: { stats: stats(), workers: [WORKER], history: [], nowMs: T0 },
    listed: {
      type: "jobs",
      jobs: jobs.map((one) => ({ job: one, about: `work of ${one.id}` })),
      hasMore: false,
    },
    ...overrides,
  };
}

function scene(overrides: Partial<Scene> = {}): Scene {
  return {
    state: START,
    content: content([job({ id: "a" }), job({ id: "b" }), job({ id: "c" })]),
    size: { columns: 80, rows: 24 },
    notice: null,
    nowMs: T0,
    ...overrides,
  };
}

function textOf(one: Scene): string {
  return screenLines(one).map((line) => paint(line, one.size.columns, PLAIN)).join("\n");
}

/** The state after these keys; a text is typed character by character. */
function after(keys: readonly (Key["type"] | { text: string })[], from: Partial<Scene> = {}) {
  let state: TopState = from.state ?? START;
  const deeds: unknown[] = [];
  let isOver = false;
  for (const key of keys) {
    const pressed = typeof key === "string"
      ? { type: key } as Key
      : { type: "text", ...key } as Key;
    const step = press(state, pressed, shownOf(scene({ ...from, state })));
    state = step.state;
    if (step.deed !== undefined) deeds.push(step.deed);
    isOver ||= step.isOver === true;
  }
  return { state, deeds, isOver };
}

Deno.test("no line is wider than the terminal, and wide characters count twice", () => {
  assert.equal(widthOf("日本"), 4);
  assert.equal(fit("日本語", 5), "日本…");
  assert.equal(fit("ab", 4), "ab  ");
  assert.equal(fit("ab", 4, "right"), "  ab");
  for (const columns of [0, 1, 2, 5, 9, 80]) {
    for (
      const text of [
        "plain text",
        "日本語と英語",
        "👩‍👩‍👧 family",
        "e\u0301e\u0301e\u0301e\u0301e\u0301",
      ]
    ) {
      const painted = paint(["> ", [text, "bold"], " end"], columns, PLAIN);
      assert.ok(widthOf(painted) <= columns, `${text} in ${columns}: ${painted}`);
    }
  }
  assert.equal(paint(["abc"], 3, PLAIN), "abc");
  assert.equal(paint(["abcd"], 3, PLAIN), "ab…");
});

Deno.test("control characters of a job never reach the terminal, whatever shows them", () => {
  const evil = "\x1b[2J\x1b]0;title\x07\r\n\t\x9b1m\u202etxt\x00";
  // deno-lint-ignore no-control-regex
  const control = /[\x00-\x1f\x7f-\x9f\u202a-\u202e]/;
  assert.doesNotMatch(paint([evil, [evil, "red"]], 200, PLAIN), control);
  const one = job({
    queue: evil,
    kind: evil,
    worker: evil,
    key: evil,
    state: "dead",
    lastError: { code: "exit", message: evil },
    result: JSON.stringify(evil),
  });
  const page: JobPage = {
    job: one,
    work: evil,
    payload: evil,
    attempts: [{
      attempt: 1,
      token: 1,
      worker: evil,
      outcome: "failed",
      startedAtMs: T0,
      finishedAtMs: T0,
      error: { code: "exit", message: evil },
      exitCode: null,
      signal: evil,
      stdoutBytes: null,
      stderrBytes: null,
    }],
    dependencies: [{ id: evil, condition: "success", isMet: false, runAtMs: T0 }],
    files: [],
    progress: { value: 0.5, text: evil, atMs: T0 },
    output: [{ stream: "stdout", text: `${evil}\nlast line\n` }],
  };
  const lines = jobLines(page, { columns: 80, nowMs: T0 });
  for (const line of lines) assert.doesNotMatch(paint(line, 80, PLAIN), control);
  assert.ok(lines.some((line) => plainText(line) === "last line"));
  const state: TopState = { ...START, search: evil };
  const screen = textOf(scene({ state, content: content([one]) }));
  for (const line of screen.split("\n")) assert.doesNotMatch(line, control);
  const event = { type: "job.dead", jobId: "x", queue: evil, kind: evil, state: "dead" } as const;
  const drawn = statusLines({
    overview: content([]).overview,
    events: [{
      at: { batch: 1, index: 0 },
      atMs: T0,
      event: { ...event, worker: evil, attempt: 1, error: { code: "exit", message: evil } },
    }],
    problem: evil,
    size: { columns: 80, rows: 24 },
  });
  for (const line of drawn) assert.doesNotMatch(paint(line, 80, PLAIN), control);
});

Deno.test("sparkline() draws the largest number highest", () => {
  assert.equal(sparkline([0, 5, 10]), "▁▅█");
  assert.equal(sparkline([0, 0]), "▁▁");
  assert.equal(sparkline([]), "");
});

Deno.test("a table leaves out columns before its wide one is unreadable", () => {
  const columns = [
    { title: "ID", leaveOut: 1 },
    { title: "AGE", leaveOut: 2 },
    { title: "ABOUT", isWide: true },
  ] as const;
  const head = (width: number) =>
    plainText(tableLines(columns, [["12345678", "5m", "something"]], width).head).trimEnd();
  assert.equal(head(60), "ID        AGE  ABOUT");
  assert.equal(head(28), "ID        ABOUT");
  assert.equal(head(20), "ABOUT");
});

Deno.test("keys are read also when their sequences come in pieces", () => {
  const keys = new KeyReader();
  const types = (text: string) => keys.read(text).map((key) => key.type);
  assert.deepEqual(types("\x1b[A\x1bOB\x1b[5~\x1b[1;5C\x1b[Z"), [
    "up",
    "down",
    "page-up",
    "right",
    "back-tab",
  ]);
  assert.deepEqual(types("\x1b"), []);
  assert.deepEqual(types("[B"), ["down"]);
  assert.deepEqual(types("\x1b["), []);
  assert.ok(keys.isWaiting);
  assert.deepEqual(keys.flush(), [{ type: "escape" }]);
  assert.deepEqual(keys.flush(), []);
  assert.deepEqual(types("\x1bx"), ["escape", "text"]);
  assert.deepEqual(types("\r\t\x7f\x03"), ["enter", "tab", "backspace", "interrupt"]);
  assert.deepEqual(keys.read("Grüße\x1b[99~!"), [
    { type: "text", text: "Grüße" },
    { type: "text", text: "!" },
  ]);
});

Deno.test("arrows and letters select, and stay in bounds", () => {
  const selected = (...keys: (Key["type"] | { text: string })[]) => after(keys).state.selected.jobs;
  assert.equal(selected(), null);
  assert.equal(selected("down"), "b");
  assert.equal(selected({ text: "j" }, { text: "j" }, { text: "j" }), "c");
  assert.equal(selected({ text: "jj" }, "up"), "b");
  assert.equal(selected("down", "up"), null, "at the top it stays there when new jobs come");
  assert.equal(selected("end"), "c");
  assert.equal(selected({ text: "G" }, { text: "g" }), null);
});

Deno.test("the selection stays on its job while others come, and its deed too", () => {
  const { state } = after(["down"]);
  const more = content([job({ id: "new" }), job({ id: "a" }), job({ id: "b" })]);
  const screen = textOf(scene({ state, content: more }));
  assert.match(screen, /^> b /m);
  assert.deepEqual(after([{ text: "c" }, { text: "y" }], { state, content: more }).deeds, [
    { type: "cancel", id: "b" },
  ]);
});

Deno.test("c and r ask first, and only y means yes", () => {
  assert.deepEqual(after([{ text: "c" }, { text: "y" }]).deeds, [{ type: "cancel", id: "a" }]);
  assert.deepEqual(after([{ text: "r" }, { text: "Y" }]).deeds, [{ type: "requeue", id: "a" }]);
  for (const no of ["enter", "escape", { text: "n" }, { text: "c" }] as const) {
    const { deeds, state } = after([{ text: "c" }, no]);
    assert.deepEqual([deeds, state.prompt], [[], null]);
  }
  const { state } = after([{ text: "r" }]);
  assert.match(textOf(scene({ state })), /^Requeue the job a\? \[y\/N\]/m);
  assert.deepEqual(after([{ text: "c" }, { text: "y" }], { content: content([]) }).deeds, []);
  const long = { content: content([job({ id: "x".repeat(64) })]) };
  const asked = after([{ text: "r" }], long).state;
  assert.match(textOf(scene({ ...long, state: asked })), /^Requeue the job x+…\? \[y\/N\]$/m);
});

Deno.test("Enter opens a job, the job of a worker, the jobs of a queue", () => {
  assert.deepEqual(after(["down", "enter"]).state.view, { type: "job", id: "b", scroll: 0 });
  assert.equal(after(["enter", "escape"]).state.view.type, "list");
  const overview = content([]).overview;
  const workers: Content = {
    overview,
    listed: { type: "workers", workers: [{ worker: WORKER, job: null }] },
  };
  const tab3 = after([{ text: "3" }, "enter"], { content: workers }).state;
  assert.deepEqual(tab3.view, { type: "job", id: "job-1", scroll: 0 });
  const queues: Content = { overview, listed: { type: "queues", queues: overview.stats.queues } };
  const tab2 = after([{ text: "2" }, "down", "enter"], { content: queues }).state;
  assert.deepEqual([tab2.tab, tab2.search], ["jobs", "queue:mail"]);
});

Deno.test("tabs come in turn and by number", () => {
  assert.equal(after(["tab"]).state.tab, "queues");
  assert.equal(after(["back-tab"]).state.tab, "dlq");
  assert.equal(after(["right", "right", "right", "right"]).state.tab, "jobs");
  assert.equal(after([{ text: "4" }, "left"]).state.tab, "workers");
});

Deno.test("a search is typed, checked, applied and given up", () => {
  const search = (text: string) => after([{ text: "/" }, { text }, "enter"]).state;
  assert.equal(search("state:dead q").search, "state:dead q");
  assert.equal(search("state:dead").prompt, null);
  const bad = search("state:ded");
  assert.equal(bad.search, "");
  assert.match(
    textOf(scene({ state: bad })),
    /\/state:ded█ {2}state: expected one or more of pend/,
  );
  assert.equal(after(["backspace"], { state: bad }).state.prompt?.type, "search");
  const edited = after(["backspace", "clear", { text: "x" }, "enter"], { state: bad }).state;
  assert.equal(edited.search, "x");
  assert.equal(after(["escape"], { state: edited }).state.search, "");
  assert.equal(after([{ text: "/" }, { text: "q" }, "escape"]).isOver, false);
  assert.equal(after([{ text: "4" }, { text: "/" }]).state.tab, "dlq");
});

Deno.test("q leaves a page, then the program; Ctrl-C leaves it anywhere", () => {
  assert.equal(after([{ text: "q" }]).isOver, true);
  assert.equal(after(["enter", { text: "q" }]).isOver, false);
  assert.equal(after(["enter", { text: "qq" }]).isOver, true);
  assert.equal(after([{ text: "/" }, "interrupt"]).isOver, true);
  assert.equal(after([{ text: "c" }, "interrupt"]).isOver, true);
});

Deno.test("a page is scrolled within its bounds, and stays at its end while it grows", () => {
  const shown: Shown = { ids: [], jobIds: [], height: 10, lines: 25, check: () => null };
  const at = (scroll: number, key: Key, lines = 25) => {
    const view = { type: "job", id: "a", scroll } as const;
    const { state } = press({ ...START, view }, key, { ...shown, lines });
    return (state.view as { scroll: number }).scroll;
  };
  assert.equal(at(0, { type: "up" }), 0);
  assert.equal(at(0, { type: "down" }), 1);
  assert.equal(at(14, { type: "down" }), Infinity);
  assert.equal(at(Infinity, { type: "up" }), 14);
  assert.equal(at(0, { type: "end" }), Infinity);
  assert.equal(at(5, { type: "home" }), 0);
});

Deno.test("the screen has as many lines as the terminal, at every size", () => {
  for (const columns of [1, 19, 20, 30, 40, 60, 80, 200]) {
    for (const rows of [1, 5, 6, 10, 14, 24, 60]) {
      for (const view of [START.view, { type: "help", scroll: 0 }] as const) {
        const one = scene({ size: { columns, rows }, state: { ...START, view } });
        const lines = screenLines(one).map((line) => paint(line, columns, PLAIN));
        assert.equal(lines.length, rows);
        for (const line of lines) assert.ok(widthOf(line) <= columns, `${columns}: ${line}`);
      }
    }
  }
});

Deno.test("at 80 by 24 counts, throughput, oldest job, tabs, rows and keys are seen", () => {
  const screen = textOf(scene());
  assert.match(screen, /12 pending {2}2 processing {2}340 completed {2}1 dead/);
  assert.match(screen, /1\.5\/s completed, 3 failed in the last minute/);
  assert.match(screen, /workers 1 of 1 busy {2}oldest ready job 5s {2}paused: mail/);
  assert.match(screen, /\[1 Jobs\] 2 Queues {2}3 Workers {2}4 DLQ/);
  assert.match(screen, /^> a +processing +default +command +0\/4 +1m +work of a/m);
  assert.match(screen, /q quit$/);
});

Deno.test("the selected row is in sight however long the list is", () => {
  const jobs = Array.from({ length: 200 }, (_, n) => job({ id: `j${n}` }));
  for (const id of ["j0", "j57", "j199"]) {
    const state = { ...START, selected: { ...START.selected, jobs: id } };
    assert.match(textOf(scene({ state, content: content(jobs) })), new RegExp(`^> ${id} `, "m"));
  }
});

Deno.test("more jobs are looked for as the end of the list comes near", () => {
  const jobs = Array.from({ length: 100 }, (_, n) => job({ id: `j${n}` }));
  assert.equal(after(["down"], { content: content(jobs) }).state.limit, 100);
  assert.equal(after(["end"], { content: content(jobs) }).state.limit, 200);
});
