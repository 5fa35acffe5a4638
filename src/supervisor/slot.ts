/**
 * One worker as the supervisor sees it: the thread, the jobs in its hands, its signs of life. Owns
 * the thread; what its messages mean is decided by the owner of the slot.
 */
import type { Lease, LeasedJob, NewJob } from "../job/job.ts";
import { toColumns } from "../lib/columns.ts";
import type { AbortReason, FromWorker, ToWorker } from "../worker/protocol.ts";

export type WorkerInit = Omit<
  Extract<ToWorker, { type: "init" }>,
  "type" | "running" | "givenUp"
>;

/** A job in the hands of a worker. */
export interface JobInHand {
  readonly job: LeasedJob;
  /** Of the command that runs it now. */
  pgid: number | null;
  /** By `performance.now()`. */
  readonly givenAtMs: number;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  /** Jobs that are to be added together with its success. */
  readonly followUps: NewJob[];
}

export interface SlotEvents {
  onMessage(slot: Slot, message: FromWorker): void;
  onCrash(slot: Slot, message: string): void;
  /** It was asked to stop a job, or a job has outlived its timeout, and it gives no answer. */
  onSilence(slot: Slot): void;
}

/** A thread answers at once unless something blocks it. */
const ANSWER_MS = 1_000;
/** And once more, so that an answer that is here but not read yet counts. */
const SECOND_LOOK_MS = 100;

/** The thread itself ends an attempt on time; after so much more it is asked whether it can. */
const TIMEOUT_GRACE_MS = 500;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** With more jobs than this in hand, a worker needs no further chunk. */
const CHUNKS_IN_HAND = 2;

export class Slot {
  readonly inHand = new Map<number, JobInHand>();
  /** Jobs in hand that the thread does not know of yet. */
  readonly #held = new Map<number, AbortController>();
  /** Process groups of the handler programs that the thread keeps. */
  readonly programs = new Set<number>();
  /** By `performance.now()`. */
  lastBeatMs = 0;
  startedAtMs = 0;
  restarts = 0;
  /** Deaths since it last finished a job: the pause before a new thread grows with them. */
  deathsInARow = 0;
  #worker: Worker | null = null;
  #isReady = false;
  #running = new Float64Array(new SharedArrayBuffer(8));
  #givenUp = new Int32Array(new SharedArrayBuffer(4));
  #chunks: number[] = [];

  constructor(readonly label: string, readonly events: SlotEvents) {}

  start(init: WorkerInit, nowMs: number): void {
    const url = new URL("../worker/thread.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: this.label });
    const buffer = new SharedArrayBuffer(8);
    this.#worker = worker;
    this.#running = new Float64Array(buffer);
    const givenUp = new SharedArrayBuffer(4);
    this.#givenUp = new Int32Array(givenUp);
    this.lastBeatMs = performance.now();
    this.startedAtMs = nowMs;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (worker !== this.#worker) return;
      this.lastBeatMs = performance.now();
      if (data.type === "ready") this.#isReady = true;
      if (data.type === "crashed") this.events.onCrash(this, data.message);
      else this.events.onMessage(this, data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.events.onCrash(this, event.message);
    };
    this.#send({ ...init, type: "init", running: buffer, givenUp });
  }

  get isAlive(): boolean {
    return this.#worker !== null;
  }

  /** Whether it can be given a job, or one more chunk of trivial ones while it counts the last. */
  get isHungry(): boolean {
    if (!this.#isReady || this.#chunks.length >= CHUNKS_IN_HAND) return false;
    return this.inHand.size === 0 || this.#chunks.every((size) => size > 1);
  }

  get isIdle(): boolean {
    return this.inHand.size === 0;
  }

  /** The job that the thread is running at this moment, even if it has died. */
  get runningSeq(): number | null {
    return this.#running[0] || null;
  }

  give(jobs: readonly LeasedJob[]): void {
    this.#chunks.push(jobs.length);
    this.#run(jobs);
  }

  /**
   * Takes a job in hand that cannot be given to the thread yet. The signal is aborted, with the
   * reason, when it is to be stopped before that.
   */
  hold(job: LeasedJob): AbortSignal {
    const held = new AbortController();
    this.#held.set(job.seq, held);
    this.#chunks.push(1);
    const givenAtMs = performance.now();
    this.inHand.set(job.seq, {
      job,
      pgid: null,
      givenAtMs,
      timer: undefined,
      followUps: [],
    });
    return held.signal;
  }

  /** Gives the thread a job that was held. */
  giveHeld(job: LeasedJob): void {
    this.#held.delete(job.seq);
    this.#run([job]);
  }

  /** Whether it has the job in hand, under this lease. */
  holds({ seq, token }: Lease): boolean {
    return this.inHand.get(seq)?.job.token === token;
  }

  #run(jobs: readonly LeasedJob[]): void {
    const givenAtMs = performance.now();
    for (const job of jobs) {
      const timer = job.timeoutMs === null ? undefined : setTimeout(
        () => this.#ask({ type: "probe" }),
        Math.min(job.timeoutMs + TIMEOUT_GRACE_MS, LONGEST_TIMER_MS),
      );
      this.inHand.set(job.seq, { job, pgid: null, givenAtMs, timer, followUps: [] });
    }
    this.#send({ type: "run", jobs: toColumns(jobs) });
  }

  /** Takes an ended job out of its hands; undefined when it was not there under this lease. */
  take({ seq, token }: Lease): JobInHand | undefined {
    const found = this.inHand.get(seq);
    if (found === undefined || found.job.token !== token) return undefined;
    this.inHand.delete(seq);
    this.#held.delete(seq);
    clearTimeout(found.timer);
    // Jobs come back in the order in which they were given.
    if (this.#chunks.length > 0 && --this.#chunks[0]! === 0) this.#chunks.shift();
    return found;
  }

  abort(lease: Lease, reason: AbortReason): void {
    if (!this.holds(lease)) return;
    const held = this.#held.get(lease.seq);
    if (held === undefined) this.#ask({ type: "abort", lease, reason });
    else held.abort(reason);
  }

  /** Tells the thread something that it need not answer at once. */
  tell(message: Extract<ToWorker, { type: "handlers" | "enqueued" | "close" }>): void {
    this.#send(message);
  }

  /** Sends what the thread answers at once, and says so if it does not. */
  #ask(message: Extract<ToWorker, { type: "abort" | "probe" }>): void {
    const worker = this.#worker;
    const askedMs = performance.now();
    const isSilent = () => worker === this.#worker && this.lastBeatMs < askedMs;
    this.#send(message);
    setTimeout(() => {
      if (!isSilent()) return;
      setTimeout(() => {
        if (worker !== null && isSilent()) this.events.onSilence(this);
      }, SECOND_LOOK_MS);
    }, ANSWER_MS);
  }

  /** Ends the thread and hands over what it had. */
  terminate(): JobInHand[] {
    const left = [...this.inHand.values()];
    for (const { timer } of left) clearTimeout(timer);
    this.inHand.clear();
    for (const held of this.#held.values()) held.abort("lease-lost");
    this.#held.clear();
    this.#chunks = [];
    this.#isReady = false;
    const worker = this.#worker;
    this.#worker = null;
    worker?.terminate();
    Atomics.store(this.#givenUp, 0, 1);
    Atomics.notify(this.#givenUp, 0);
    return left;
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }
}
