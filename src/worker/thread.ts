/**
 * The entry of a worker thread. Takes leased jobs, runs one after the other, gives signs of life,
 * reports how attempts ended. Holds no database connection; decides nothing about retries.
 */
/// <reference lib="deno.worker" />
import { fromColumns, toColumns } from "../lib/columns.ts";
import { messageOf } from "../lib/error_message.ts";
import type { FollowUp, Handler } from "../handlers/handler.ts";
import { collectOutput, makeOutputDir } from "../handlers/output_dir.ts";
import { ProcessPool } from "../handlers/process_pool.ts";
import { HANDLERS } from "../handlers/registry.ts";
import { userKinds } from "../handlers/user_handler.ts";
import type { Lease, LeasedJob, OutputStream } from "../job/job.ts";
import { OutputBuffer } from "./output_buffer.ts";
import { ProgressBuffer } from "./progress_buffer.ts";
import type { AbortReason, AttemptReport, FromWorker, ToWorker } from "./protocol.ts";
import { AttemptAborted, endOfAborted, runAttempt } from "./run_attempt.ts";

type Init = Extract<ToWorker, { type: "init" }>;

const waiting: LeasedJob[] = [];
/** Attempts that were aborted before they began, by `seq`. */
const abortedEarly = new Map<number, AbortReason>();
let init: Init;
let running: Float64Array;
let current: { job: LeasedJob; controller: AbortController } | null = null;
let isRunning = false;
let pool: ProcessPool;
let handlers: ReadonlyMap<string, Handler>;
/** Who waits to hear whether a follow-up is a good one, by `ref`. */
const followUps = new Map<number, (followUp: FollowUp) => void>();
let lastRef = 0;

function post(message: FromWorker): void {
  self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case "init":
      init = data;
      running = new Float64Array(data.running);
      setInterval(() => post({ type: "beat" }), data.heartbeatMs);
      pool = new ProcessPool({
        mark: data.mark,
        settings: data.settings,
        onGroup: (pgid, isAlive) => post({ type: "program", pgid, isAlive }),
        onTrouble: (message) => post({ type: "trouble", message }),
      });
      useHandlers(data.handlers);
      post({ type: "ready" });
      return;
    case "run":
      waiting.push(...fromColumns(data.jobs));
      if (!isRunning) runWaiting();
      return;
    case "probe":
      post({ type: "beat" });
      return;
    case "abort": {
      post({ type: "beat" });
      const { seq, token } = data.lease;
      if (current?.job.seq === seq && current.job.token === token) {
        current.controller.abort(new AttemptAborted(data.reason));
      } else if (waiting.some((job) => job.seq === seq && job.token === token)) {
        abortedEarly.set(seq, data.reason);
      }
      return;
    }
    case "handlers":
      useHandlers(data.handlers);
      return;
    case "enqueued":
      followUps.get(data.ref)?.(data.followUp);
      followUps.delete(data.ref);
      return;
    case "close":
      pool.close().then(() => post({ type: "closed" }));
      return;
  }
};

/** What runs goes on as it began; the next job gets the new code. */
function useHandlers(given: Init["handlers"]): void {
  handlers = new Map([...HANDLERS, ...userKinds(given, pool)]);
  pool.keepOnly(given.programs);
}

function enqueue(lease: Lease, job: unknown): Promise<FollowUp> {
  return new Promise((resolve) => {
    const ref = ++lastRef;
    followUps.set(ref, resolve);
    post({ type: "enqueue", lease, ref, job });
  });
}

// The last words of a thread, so that the supervisor need not wait for missing heartbeats.
self.addEventListener("error", (event) => {
  event.preventDefault();
  die(event.error ?? event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  die(event.reason);
});

function die(error: unknown): void {
  post({ type: "crashed", message: messageOf(error) });
  self.close();
}

/**
 * Blocks the whole thread, heartbeats included, without using the processor. The runtime does not end
 * a thread that is blocked, so it ends by itself once it has been given up; real hangs stay for ever.
 */
function hang(): void {
  Atomics.wait(new Int32Array(init.givenUp), 0, 0);
  self.close();
}

async function runWaiting(): Promise<void> {
  isRunning = true;
  /** Attempts that ended in this turn: reported together. */
  let ended: AttemptReport[] = [];
  const report = () => {
    if (ended.length > 0) post({ type: "ended", attempts: toColumns(ended) });
    ended = [];
  };
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
    const { seq, token } = job;
    const reason = abortedEarly.get(seq);
    if (reason !== undefined) {
      abortedEarly.delete(seq);
      ended.push({ seq, token, end: endOfAborted(reason, job), durationMs: 0 });
      continue;
    }
    running[0] = seq;
    const startedMs = performance.now();
    const controller = new AbortController();
    current = { job, controller };
    const output = new OutputBuffer((chunks) =>
      post({ type: "output", lease: { seq, token }, chunks })
    );
    const progress = new ProgressBuffer((progress) =>
      post({ type: "progress", lease: { seq, token }, progress })
    );
    const handler = handlers.get(job.kind);
    const outputDir = handler?.leavesFiles && makeOutputDir(init.workDir, job);
    let end = runAttempt(job, {
      handler,
      controller,
      context: {
        holder: init.holder,
        settings: init.settings,
        outputDir,
        writeOutput: (stream: OutputStream, bytes: Uint8Array) => output.write(stream, bytes),
        setProcessGroup: (pgid: number | null) =>
          post({ type: "group", lease: { seq, token }, pgid }),
        reportProgress: (said) => progress.take(said),
        enqueue: (job) => enqueue({ seq, token }, job),
      },
      faults: init.faults,
      random: Math.random,
      hang,
    });
    if (end instanceof Promise) {
      report();
      post({ type: "begun", lease: { seq, token } });
      end = await end;
    }
    running[0] = 0;
    current = null;
    progress.close();
    const rest = output.close();
    const left = outputDir === undefined ? null : collectOutput(outputDir, init.artifacts);
    ended.push({
      seq,
      token,
      end,
      durationMs: performance.now() - startedMs,
      ...(rest.length > 0 ? { output: rest } : {}),
      ...(left === null ? {} : { left }),
    });
  }
  report();
  isRunning = false;
}
