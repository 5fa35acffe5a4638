/** Proves the names and values of jobs, workers and statistics as JSON. */
import assert from "node:assert/strict";
import type { Job } from "../../src/job/job.ts";
import { HTTP_STATUS_OF, STATES } from "../../src/job/state.ts";
import type { AttemptView } from "../../src/queue/queue.ts";
import { joinOutput } from "../../src/queue/queue.ts";
import {
  attemptView,
  jobView,
  resultValue,
  statsView,
  statusView,
  workerView,
} from "../../src/queue/views.ts";
import type { StateCounts, Stats, WorkerStatus } from "../../src/store/store.ts";

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function job(overrides: Partial<Job> = {}): Job {
  return {
    seq: 1,
    id: "job1",
    queue: "mail",
    kind: "command",
    state: "pending",
    priority: 5,
    runAtMs: T0,
    attempts: 0,
    maxRetries: 3,
    timeoutMs: null,
    leaseHolder: null,
    worker: null,
    token: 0,
    leaseExpiresAtMs: null,
    cancelRequestedAtMs: null,
    lastError: null,
    createdAtMs: T0,
    updatedAtMs: T0,
    startedAtMs: null,
    finishedAtMs: null,
    result: null,
    options: null,
    key: null,
    isDependent: false,
    hasFiles: false,
    ...overrides,
  };
}

const running = job({
  state: "processing",
  leaseHolder: "process-1",
  worker: "w-1",
  token: 2,
  attempts: 1,
  startedAtMs: T0 + 1_500,
  leaseExpiresAtMs: T0 + 31_500,
  lastError: { code: "exit", message: "exit code 1" },
});

const failedAttempt: AttemptView = {
  attempt: 1,
  token: 1,
  worker: "w-2",
  outcome: "failed",
  startedAtMs: T0,
  finishedAtMs: T0 + 250,
  error: { code: "exit", message: "exit code 1" },
  exitCode: 1,
  signal: null,
  stdoutBytes: 12,
  stderrBytes: 0,
};

Deno.test("statusView() has the fields of the contract", () => {
  const view = statusView(job());
  assert.deepEqual(view, {
    job_id: "job1",
    status: "pending",
    state: "pending",
    queue: "mail",
    kind: "command",
    priority: 5,
    attempts: 0,
    max_retries: 3,
    processing_by: null,
    cancel_requested: false,
    run_at: "2026-01-02T03:04:05.678Z",
    created_at: "2026-01-02T03:04:05.678Z",
    updated_at: "2026-01-02T03:04:05.678Z",
    started_at: null,
    finished_at: null,
    error: null,
  });
});

Deno.test("statusView() shows every state under its HTTP status", () => {
  for (const state of STATES) {
    const view = statusView(job({ state }));
    assert.deepEqual([view.status, view.state], [HTTP_STATUS_OF[state], state]);
  }
});

Deno.test("processing_by names the worker that holds the job, and nobody afterwards", () => {
  assert.equal(statusView(running).processing_by, "w-1");
  assert.equal(statusView({ ...running, state: "started" }).processing_by, "w-1");
  for (const state of ["pending", "failed", "completed", "dead", "cancelled"] as const) {
    assert.equal(statusView({ ...running, state }).processing_by, null, state);
  }
});

Deno.test("jobView() is the status and the whole rest", () => {
  const view = jobView(running, { payload: '{"run":"ls"}', attempts: [failedAttempt] });
  assert.deepEqual({ ...view, ...statusView(running) }, view);
  assert.equal(view.id, "job1");
  assert.deepEqual(view.payload, { run: "ls" });
  assert.equal(view.payload_bytes, 12);
  assert.equal(view.timeout_ms, null);
  assert.equal(view.error, "exit code 1");
  assert.equal(view.error_code, "exit");
  assert.deepEqual(view.lease, {
    worker: "w-1",
    token: 2,
    expires_at: "2026-01-02T03:04:37.178Z",
  });
  assert.deepEqual(view.attempt_history, [attemptView(failedAttempt)]);
  assert.deepEqual(view.timings, { waited_ms: 1_500, ran_ms: null, total_ms: null });
});

Deno.test("jobView() never shows a lease that is over", () => {
  const view = jobView({ ...running, state: "completed" }, { payload: "1", attempts: [] });
  assert.equal(view.lease, null);
});

Deno.test("jobView() shows an uploaded text as it was, its byte-order mark too", () => {
  const payload = new TextEncoder().encode("\uFEFFäöü\0");
  const view = jobView(job({ kind: "count" }), { payload, attempts: [] });
  assert.equal(view.payload, "\uFEFFäöü\0");
  assert.equal(view.payload_bytes, 10);
});

Deno.test("jobView() names a large payload by its size alone", () => {
  const view = jobView(job(), { payload: new Uint8Array(1_048_576), attempts: [] });
  assert.deepEqual([view.payload, view.payload_bytes], [null, 1_048_576]);
});

Deno.test("payload_bytes counts bytes, also for JSON that is not ASCII", () => {
  const view = jobView(job(), { payload: '"é€"', attempts: [] });
  assert.equal(view.payload_bytes, 7);
});

Deno.test("a result is shown as a value, not as text", () => {
  assert.deepEqual(resultValue(job({ result: '{"characters":3}' })), { characters: 3 });
  assert.equal(resultValue(job()), null);
});

Deno.test("attemptView() has the fields of the contract", () => {
  assert.deepEqual(attemptView(failedAttempt), {
    attempt: 1,
    outcome: "failed",
    worker: "w-2",
    started_at: "2026-01-02T03:04:05.678Z",
    finished_at: "2026-01-02T03:04:05.928Z",
    duration_ms: 250,
    exit_code: 1,
    signal: null,
    error: "exit code 1",
    error_code: "exit",
  });
});

Deno.test("a clock that was set back never shows a negative duration", () => {
  assert.equal(attemptView({ ...failedAttempt, finishedAtMs: T0 - 5 }).duration_ms, 0);
});

const worker: WorkerStatus = {
  holder: "process-1",
  label: "w-1",
  pid: 42,
  host: "here",
  processStart: "1",
  role: "serve",
  status: "idle",
  restarts: 2,
  startedAtMs: T0,
  heartbeatAtMs: T0 + 10,
  jobId: null,
};

Deno.test("workerView() shows who works on what", () => {
  assert.deepEqual(workerView(worker), {
    worker: "w-1",
    pid: 42,
    role: "serve",
    status: "idle",
    job_id: null,
    restarts: 2,
    started_at: "2026-01-02T03:04:05.678Z",
    heartbeat_at: "2026-01-02T03:04:05.688Z",
    process: "process-1",
  });
});

Deno.test("a worker that holds a job is busy, whatever it last said", () => {
  assert.equal(workerView({ ...worker, jobId: "job1" }).status, "busy");
  assert.equal(workerView({ ...worker, jobId: "job1", status: "draining" }).status, "draining");
});

Deno.test("statsView() has counts by state and queue, throughput, oldest ready job, workers", () => {
  const counts = Object.fromEntries(STATES.map((state, index) => [state, index])) as StateCounts;
  const rules = { pausedAtMs: T0, maxRunning: 2, rate: null, keyMaxRunning: null };
  const throughput = { added: 1, completed: 2, failedAttempts: 3, dead: 4, cancelled: 5 };
  const stats: Stats = {
    counts,
    queues: [{ queue: "mail", counts, rules, oldestReadyAtMs: 1_000 }],
    lastMinute: throughput,
    lastHour: { ...throughput, added: 60 },
    oldestReadyAtMs: T0,
  };
  const shown = { added: 1, completed: 2, failed_attempts: 3, dead: 4, cancelled: 5 };
  assert.deepEqual(statsView(stats, [worker], T0 + 3_000), {
    jobs: counts,
    total: 21,
    queues: [{ queue: "mail", jobs: counts, paused: true }],
    throughput: { last_minute: shown, last_hour: { ...shown, added: 60 } },
    oldest_ready: { run_at: "2026-01-02T03:04:05.678Z", waiting_ms: 3_000 },
    workers: [workerView(worker)],
  });
  assert.equal(statsView({ ...stats, oldestReadyAtMs: null }, [], T0).oldest_ready, null);
});

Deno.test("joinOutput() joins the chunks of one stream in order", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const chunks = [
    { stream: "stdout", bytes: bytes("a") },
    { stream: "stderr", bytes: bytes("x") },
    { stream: "stdout", bytes: bytes("b") },
  ] as const;
  const text = (joined: Uint8Array) => new TextDecoder().decode(joined);
  assert.equal(text(joinOutput(chunks, "stdout")), "ab");
  assert.equal(text(joinOutput(chunks, "stderr")), "x");
  assert.equal(text(joinOutput(chunks)), "axb");
  assert.equal(joinOutput([]).length, 0);
});
