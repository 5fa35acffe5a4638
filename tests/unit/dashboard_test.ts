/** What the pages are made of, where it is pure: colours, output, explanations, warnings, words. */
import assert from "node:assert/strict";
import { errorGroup } from "../../src/dashboard/about.ts";
import { AnsiReader } from "../../src/dashboard/ansi.ts";
import { cronWords } from "../../src/dashboard/cron_words.ts";
import { explain, type JobFacts } from "../../src/dashboard/explain.ts";
import { flash, flashOf } from "../../src/dashboard/flash.ts";
import { bytes, coarse, link, percent, relative } from "../../src/dashboard/format.ts";
import { outputLines } from "../../src/dashboard/output_lines.ts";
import { recipesFor } from "../../src/dashboard/recipes.ts";
import { findWarnings, type WarningFacts } from "../../src/dashboard/warnings.ts";
import { HELD_MS, type Job, type OutputStream } from "../../src/job/job.ts";
import { STATES } from "../../src/job/state.ts";
import type { StateCounts } from "../../src/store/store.ts";

const NOW = 1_800_000_000_000;

const chunk = (stream: OutputStream, text: string) => ({
  stream,
  bytes: new TextEncoder().encode(text),
});
const CHOICE = { find: "", isOnlyFound: false, mostLines: 100 };
const textsOf = (view: ReturnType<typeof outputLines>) =>
  view.lines.map(({ stream, pieces }) => `${stream}: ${pieces.map(({ text }) => text).join("")}`);

function jobWith(changes: Partial<Job>): Job {
  return {
    seq: 1,
    id: "a-job",
    queue: "default",
    kind: "command",
    state: "dead",
    priority: 0,
    runAtMs: NOW,
    attempts: 4,
    maxRetries: 3,
    timeoutMs: null,
    leaseHolder: null,
    worker: "w-1",
    token: 4,
    leaseExpiresAtMs: null,
    cancelRequestedAtMs: null,
    lastError: null,
    result: null,
    createdAtMs: NOW - 60_000,
    updatedAtMs: NOW,
    startedAtMs: NOW - 5_000,
    finishedAtMs: NOW,
    options: null,
    key: null,
    isDependent: false,
    hasFiles: false,
    ...changes,
  };
}

const counts = (changes: Partial<StateCounts> = {}): StateCounts => ({
  ...Object.fromEntries(STATES.map((state) => [state, 0])) as StateCounts,
  ...changes,
});

Deno.test("colours and weight become looks, all other escape sequences disappear", () => {
  const reader = new AnsiReader();
  assert.deepEqual(reader.line("a\x1b[1;31mb\x1b[0mc"), [
    { text: "a", look: "" },
    { text: "b", look: "a-fg1 a-bold" },
    { text: "c", look: "" },
  ]);
  const plain = (text: string) => new AnsiReader().line(text).map((piece) => piece.text).join("");
  assert.equal(plain("\x1b]0;title\x07x\x1b[2J\x1b[10;5Hy\x1b(Bz"), "xyz");
  assert.equal(plain("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\"), "link");
  assert.equal(plain("bell\x07 nul\x00 del\x7f"), "bell␇ nul␀ del␡");
  assert.equal(plain("\x1b"), "");
  assert.equal(plain(" 10%\r 50%\r100%"), "100%");
});

Deno.test("a colour lasts over lines until it is ended; many colours become the nearest of sixteen", () => {
  const reader = new AnsiReader();
  reader.line("\x1b[38;2;200;40;40mred");
  assert.equal(reader.line("still")[0]!.look, "a-fg1");
  assert.equal(reader.line("\x1b[38;5;46mgreen")[0]!.look, "a-fg2");
  assert.equal(reader.line("\x1b[39;7minverse")[0]!.look, "a-fgbg a-bgfg");
});

Deno.test("output is lines in the order in which they were printed, over cuts in characters and lines", () => {
  const euro = new TextEncoder().encode("€");
  const chunks = [
    chunk("stdout", "one\ntw"),
    chunk("stderr", "wrong\n"),
    {
      stream: "stdout" as const,
      bytes: new Uint8Array([...new TextEncoder().encode("o "), euro[0]!]),
    },
    { stream: "stdout" as const, bytes: euro.subarray(1) },
    chunk("stdout", "\r\nrest"),
  ];
  assert.deepEqual(textsOf(outputLines(chunks, CHOICE)), [
    "stdout: one",
    "stderr: wrong",
    "stdout: two €",
    "stdout: rest",
  ]);
  assert.deepEqual(textsOf(outputLines(chunks, { ...CHOICE, stream: "stderr" })), [
    "stderr: wrong",
  ]);
});

Deno.test("of much output the last lines are shown, and how many come before is said", () => {
  const text = Array.from({ length: 5_000 }, (_, index) => `line ${index}\n`).join("");
  const view = outputLines([chunk("stdout", text)], CHOICE);
  assert.equal(view.left, 4_900);
  assert.equal(textsOf(view).at(-1), "stdout: line 4999");
  const endless = outputLines([chunk("stdout", "x".repeat(1_000_000))], CHOICE);
  assert.ok(endless.lines.every(({ pieces }) => pieces.every(({ text }) => text.length <= 4_000)));
});

Deno.test("what is searched for is found in any case, also across colours", () => {
  const chunks = [chunk("stdout", "nothing\nDisk \x1b[31mFu\x1b[0mll, disk full\n")];
  const view = outputLines(chunks, { ...CHOICE, find: "disk full", isOnlyFound: true });
  assert.equal(view.found, 1);
  assert.equal(view.lines.length, 1);
  const marked = view.lines[0]!.pieces.map(({ text, isFound }) => isFound ? `[${text}]` : text);
  assert.equal(marked.join(""), "[Disk ][Fu][ll], [disk full]");
});

Deno.test("an explanation says in every state where a job stands, and for the dead what helps", () => {
  const facts = (changes: Partial<Job>, more: Partial<JobFacts> = {}): JobFacts => ({
    job: jobWith(changes),
    attempts: [],
    queue: null,
    obstacle: null,
    waitingFor: [],
    nowMs: NOW,
    ...more,
  });
  for (const state of STATES) assert.notEqual(explain(facts({ state })).title, "", state);
  const dead = explain(facts({
    lastError: { code: "timeout", message: "ran longer" },
    timeoutMs: 5_000,
  }));
  assert.match(dead.text, /All its 4 attempts failed.*Each attempt may take 5s/);
  assert.equal(dead.tone, "bad");
  const early = facts({ attempts: 1, lastError: { code: "exit", message: "no" } });
  assert.match(explain(early).text, /given up after 1 attempt/);
  const pending = { state: "pending", attempts: 0 } as const;
  assert.match(
    explain(facts(pending, { obstacle: { type: "no-worker" } })).title,
    /no workers are running/,
  );
  const atRate = {
    type: "rate",
    queue: "mail",
    rate: { limit: 10, periodMs: 60_000 },
    nextAtMs: NOW + 30_000,
  } as const;
  assert.match(
    explain(facts(pending, { obstacle: atRate })).text,
    /queue mail .* rate of 10\/1m .* in 30 ?s/,
  );
  assert.match(
    explain(facts({ ...pending, state: "failed" }, { obstacle: { type: "kind", kind: "x" } })).text,
    /waits because no running worker has a handler for the kind x/,
  );
  assert.match(explain(facts({ ...pending, runAtMs: NOW + 7_200_000 })).title, /Runs in 2h/);
  assert.match(
    explain(facts({ ...pending, runAtMs: HELD_MS }, { waitingFor: ["a", "b"] })).title,
    /Waits for 2 other jobs/,
  );
});

Deno.test("a queue that is well has no warnings, and each thing that is wrong has its own", () => {
  const worker = {
    holder: "h",
    label: "w-1",
    pid: 1,
    host: "here",
    processStart: "1",
    role: "serve",
    status: "idle",
    restarts: 0,
    startedAtMs: NOW - 60_000,
    heartbeatAtMs: NOW,
    jobId: null,
  } as const;
  const step = {
    fromMs: NOW,
    added: 100,
    completed: 100,
    failedAttempts: 0,
    dead: 0,
    cancelled: 0,
  };
  const stats = {
    counts: counts({ pending: 5 }),
    queues: [],
    lastMinute: step,
    lastHour: step,
    oldestReadyAtMs: NOW - 1_000,
  };
  const well: WarningFacts = {
    stats,
    workers: [worker],
    recent: [step],
    disk: { freeBytes: 2 ** 40, totalBytes: 2 ** 41 },
    nowMs: NOW,
  };
  const warningsOf = (changes: Partial<WarningFacts>) =>
    findWarnings({ ...well, ...changes }).map(({ text }) => text).join("\n");
  assert.equal(warningsOf({}), "");
  assert.equal(warningsOf({ disk: null }), "", "what is not known is no reason to worry");
  assert.match(warningsOf({ workers: [] }), /No workers are running, and 5 jobs wait/);
  assert.equal(warningsOf({ workers: [], stats: { ...stats, counts: counts() } }), "");
  const disk = { freeBytes: 2 ** 20, totalBytes: 2 ** 40 };
  assert.match(warningsOf({ disk }), /nearly full: 1\.0 MiB/);
  assert.match(warningsOf({ workers: [{ ...worker, restarts: 7 }] }), /keeps crashing/);
  const growing = { ...stats, oldestReadyAtMs: NOW - 600_000 };
  assert.equal(warningsOf({ stats: growing }), "", "waiting alone is no growth");
  assert.match(warningsOf({ stats: growing, recent: [{ ...step, completed: 10 }] }), /is growing/);
});

Deno.test("errors of the same kind look the same, those of another kind do not", () => {
  const one = errorGroup("exit code 1: order 17 of 01a2064d19e072a68602a463509e30d6: 3.5 s");
  assert.equal(one, errorGroup("exit code 1: order 9 of 01a2064d1a2f7a4391a2f22fb2f6a18a: 12 s"));
  assert.notEqual(errorGroup("exit code 1: no"), errorGroup("exit code 2: no"));
  assert.notEqual(errorGroup("status 503"), errorGroup("status 404"));
  assert.ok(errorGroup("x".repeat(10_000)).length <= 160);
});

Deno.test("common cron expressions are said in words, others are not said wrongly", () => {
  for (
    const [cron, words] of [
      ["* * * * *", "every minute"],
      ["*/15 * * * *", "every 15 minutes"],
      ["5 * * * *", "every hour at :05"],
      ["30 */6 * * *", "every 6 hours at :30"],
      ["0 3 * * *", "every day at 03:00"],
      ["0 9 * * mon", "every Monday at 09:00"],
      ["0 9 * * 1-5", "Monday to Friday at 09:00"],
      ["0 9 * * 7", "every Sunday at 09:00"],
      ["0 0 1 * *", "on day 1 of every month at 00:00"],
      ["0 0 1 * 1", null],
      ["0 0 * 6 *", null],
      ["0 0 L * *", null],
      ["@daily", null],
    ] as const
  ) assert.equal(cronWords(cron), words, cron);
});

Deno.test("what was done is told by a word in the address, and by no other text", () => {
  const query = new URLSearchParams(flash("requeued", 3, 1));
  assert.deepEqual(flashOf(query), {
    tone: "warn",
    text: "3 jobs will run again. 1 job could not be: the state had changed meanwhile.",
  });
  assert.equal(flashOf(new URLSearchParams("did=toString")), null);
  assert.equal(flashOf(new URLSearchParams("did=You+have+won&n=1")), null);
});

Deno.test("recipes add the same job again, quoted for a shell", () => {
  const at = { origin: "http://127.0.0.1:8000", hasToken: true };
  const payload = JSON.stringify({ command: "echo 'it'", cwd: "/tmp/a b" });
  const job = jobWith({ queue: "mail", priority: 5, timeoutMs: 30_000 });
  const { cli, curl } = recipesFor(job, payload, at);
  assert.equal(
    cli,
    "queuectl add 'echo '\\''it'\\''' --queue mail --priority 5 --max-retries 3 --timeout 30s " +
      "--cwd '/tmp/a b'",
  );
  assert.match(curl, /-H "Authorization: Bearer \$QUEUECTL_TOKEN"/);
  const words = recipesFor(jobWith({}), JSON.stringify({ command: ["ls", "-l", "a\x1b[2Jb"] }), at);
  assert.equal(words.cli, "queuectl add --max-retries 3 -- ls -l $'a\\x1b[2Jb'");
});

Deno.test("numbers, times and addresses are written for people", () => {
  assert.equal(relative(NOW - 500, NOW), "just now");
  assert.equal(relative(NOW - 90_000, NOW), "2m ago");
  assert.equal(relative(NOW + 7_200_000, NOW), "in 2h");
  assert.equal(coarse(60_000), "60s");
  assert.equal(bytes(1_536), "1.5 KiB");
  assert.equal(percent(0, 0), "0%");
  assert.equal(percent(1, 10_000), "<0.1%");
  assert.equal(link(["jobs", "a/b?c"], { q: "x y", none: "" }), "/ui/jobs/a%2Fb%3Fc?q=x+y");
});
