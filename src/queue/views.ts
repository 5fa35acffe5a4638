/**
 * Jobs as JSON, the same over HTTP and from the CLI's `--json`. Owns the names of the fields; times
 * are ISO 8601 in UTC, durations carry their unit in the name.
 */
import { HELD_MS, type Job, type Payload } from "../job/job.ts";
import { HTTP_STATUS_OF, type JobState, STATES } from "../job/state.ts";
import { isoTime } from "../lib/clock.ts";
import { hideSecretHeaders } from "../lib/outbound/secret_headers.ts";
import type {
  AuditEntry,
  Dependency,
  JournalEvent,
  StateCounts,
  Stats,
  StoredFile,
  StoredProgress,
  Throughput,
  WorkerStatus,
} from "../store/store.ts";
import { extrasView } from "./extras_view.ts";
import { inputOf } from "./job_files.ts";
import { describeObstacle, type Obstacle } from "./obstacle.ts";
import type { AttemptView, Queue } from "./queue.ts";

export type Json = Record<string, unknown>;

/** {@link statusView}, with the jobs that it waits for. */
export async function statusOf(job: Job, queue: Queue): Promise<Json> {
  const status = statusView(job, isHeldBack(job) ? await queue.waitingFor(job) : []);
  return { ...status, ...progressView(await queue.progress(job)) };
}

/** How far the attempt is, where it says so. */
export function progressView(progress: StoredProgress | null): Json {
  if (progress === null) return {};
  const { value, text, atMs } = progress;
  return { progress: { value, text, at: isoTime(atMs) } };
}

/** Whether it waits for other jobs. */
export function isHeldBack({ state, runAtMs }: Job): boolean {
  return runAtMs === HELD_MS && state === "pending";
}

/**
 * The answer to "how is my job": everything but its input and results. `waiting_for` is there only
 * while it waits for other jobs.
 */
export function statusView(job: Job, waitingFor: readonly string[] = []): Json {
  const { schedule, scheduledAtMs = null } = job.options ?? {};
  return {
    job_id: job.id,
    status: HTTP_STATUS_OF[job.state],
    state: job.state,
    queue: job.queue,
    kind: job.kind,
    priority: job.priority,
    attempts: job.attempts,
    max_retries: job.maxRetries,
    processing_by: isHeld(job.state) ? job.worker : null,
    cancel_requested: job.cancelRequestedAtMs !== null,
    run_at: job.runAtMs === HELD_MS ? null : isoTime(job.runAtMs),
    ...(isHeldBack(job) ? { waiting_for: waitingFor } : undefined),
    created_at: isoTime(job.createdAtMs),
    updated_at: isoTime(job.updatedAtMs),
    started_at: isoTime(job.startedAtMs),
    finished_at: isoTime(job.finishedAtMs),
    error: job.lastError?.message ?? null,
    ...(schedule === undefined ? {} : { schedule, scheduled_for: isoTime(scheduledAtMs) }),
  };
}

/** The whole job. */
export function jobView(
  job: Job,
  { payload, attempts, dependencies = [], files = [], progress = null, obstacle = null }: {
    payload: Payload;
    attempts: readonly AttemptView[];
    dependencies?: readonly Dependency[];
    files?: readonly StoredFile[];
    progress?: StoredProgress | null;
    obstacle?: Obstacle | null;
  },
): Json {
  const unmet = dependencies.filter(({ isMet }) => !isMet).map(({ id }) => id);
  return {
    ...statusView(job, unmet),
    ...progressView(progress),
    waiting_because: obstacle === null ? null : describeObstacle(obstacle),
    id: job.id,
    timeout_ms: job.timeoutMs,
    ...extrasView(job, dependencies),
    ...payloadView(payload, job.kind, files),
    ...filesView(files),
    result: resultValue(job),
    error_code: job.lastError?.code ?? null,
    lease: isHeld(job.state)
      ? { worker: job.worker, token: job.token, expires_at: isoTime(job.leaseExpiresAtMs) }
      : null,
    attempt_history: attempts.map(attemptView),
    timings: {
      waited_ms: elapsed(job.createdAtMs, job.startedAtMs),
      ran_ms: elapsed(job.startedAtMs, job.finishedAtMs),
      total_ms: elapsed(job.createdAtMs, job.finishedAtMs),
    },
  };
}

/** An entry of the journal, as live events tell it. */
export function journalEventView(event: JournalEvent, atMs: number): Json {
  const at = isoTime(atMs);
  if (event.type === "gap") return { at, message: "some events are missing here" };
  if (!("jobId" in event)) return { at, name: event.name };
  return {
    at,
    job_id: event.jobId,
    queue: event.queue,
    kind: event.kind,
    state: event.state,
    worker: event.worker,
    attempt: event.attempt,
    error: event.error?.message ?? null,
  };
}

/** An entry of the audit log. */
export function auditView({ seq, atMs, by, action, target, outcome, detail }: AuditEntry): Json {
  return { seq, at: isoTime(atMs), by, action, target, outcome, detail };
}

export function attemptView(attempt: AttemptView): Json {
  return {
    attempt: attempt.attempt,
    outcome: attempt.outcome,
    worker: attempt.worker,
    started_at: isoTime(attempt.startedAtMs),
    finished_at: isoTime(attempt.finishedAtMs),
    duration_ms: elapsed(attempt.startedAtMs, attempt.finishedAtMs),
    exit_code: attempt.exitCode,
    signal: attempt.signal,
    error: attempt.error?.message ?? null,
    error_code: attempt.error?.code ?? null,
  };
}

/** The largest payload that is shown with a job; a larger one is named by its size alone. */
const PAYLOAD_SHOWN = 64 * 1024;

function payloadView(payload: Payload, kind: string, files: readonly StoredFile[]): Json {
  const input = inputOf(files);
  // A text to count that was too large to be kept as the payload.
  if (input !== undefined && payload.length === 0) {
    return { payload: null, payload_bytes: input.bytes };
  }
  const size = typeof payload === "string"
    ? new TextEncoder().encode(payload).length
    : payload.byteLength;
  if (size > PAYLOAD_SHOWN) return { payload: null, payload_bytes: size };
  const value = typeof payload === "string"
    ? JSON.parse(payload)
    : new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload);
  return {
    payload: kind === "http" ? hideSecretHeaders(value) : value,
    payload_bytes: size,
  };
}

/** What came with the job, and what came out of it. */
function filesView(files: readonly StoredFile[]): Json {
  const input = inputOf(files);
  return {
    input: input === undefined ? null : {
      name: input.name,
      media_type: input.mediaType,
      bytes: input.bytes,
    },
    ...artifactsView(files),
  };
}

/** What the last attempt that left anything has left: what was kept of it, and what was not. */
export function artifactsView(files: readonly StoredFile[]): Json {
  const artifacts = files.filter(({ role }) => role === "artifact");
  return {
    artifacts: artifacts.filter(({ problem }) => problem === null).map((file) => ({
      name: file.name,
      bytes: file.bytes,
      attempt: file.attempt,
      created_at: isoTime(file.createdAtMs),
    })),
    artifacts_dropped: artifacts.filter(({ problem }) => problem !== null).map((file) => ({
      name: file.name,
      bytes: file.bytes,
      attempt: file.attempt,
      reason: file.problem,
    })),
  };
}

/** The stored result as a value; null while there is none. */
export function resultValue(job: Job): unknown {
  return job.result === null ? null : JSON.parse(job.result);
}

export function workerView(worker: WorkerStatus): Json {
  return {
    worker: worker.label,
    pid: worker.pid,
    role: worker.role,
    status: worker.jobId !== null && worker.status === "idle" ? "busy" : worker.status,
    job_id: worker.jobId,
    restarts: worker.restarts,
    started_at: isoTime(worker.startedAtMs),
    heartbeat_at: isoTime(worker.heartbeatAtMs),
    process: worker.holder,
  };
}

export function statsView(stats: Stats, workers: readonly WorkerStatus[], nowMs: number): Json {
  return {
    jobs: countsView(stats.counts),
    total: STATES.reduce((sum, state) => sum + stats.counts[state], 0),
    queues: stats.queues.map(({ queue, counts, rules }) => ({
      queue,
      jobs: countsView(counts),
      paused: rules.pausedAtMs !== null,
    })),
    throughput: {
      last_minute: throughputView(stats.lastMinute),
      last_hour: throughputView(stats.lastHour),
    },
    oldest_ready: stats.oldestReadyAtMs === null ? null : {
      run_at: isoTime(stats.oldestReadyAtMs),
      waiting_ms: Math.max(0, nowMs - stats.oldestReadyAtMs),
    },
    workers: workers.map(workerView),
  };
}

export function countsView(counts: StateCounts): Json {
  return Object.fromEntries(STATES.map((state) => [state, counts[state]]));
}

function throughputView(throughput: Throughput): Json {
  return {
    added: throughput.added,
    completed: throughput.completed,
    failed_attempts: throughput.failedAttempts,
    dead: throughput.dead,
    cancelled: throughput.cancelled,
  };
}

function isHeld(state: JobState): boolean {
  return state === "started" || state === "processing";
}

function elapsed(fromMs: number | null, toMs: number | null): number | null {
  return fromMs === null || toMs === null ? null : Math.max(0, toMs - fromMs);
}
