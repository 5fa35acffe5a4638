/**
 * The one claimer of a process. Claims due jobs for the workers that are free, hands them out, and
 * settles what comes back: outcomes, claims and the submits of the same turn share one commit.
 * Knows when to look for jobs; never looks in a loop.
 *
 * Invariant: an outcome is kept and its lease renewed until the store has taken it or refused it.
 */
import type { BackoffPolicy } from "../job/backoff.ts";
import { StoreUnavailableError } from "../job/errors.ts";
import type { Lease, LeasedJob } from "../job/job.ts";
import { type AttemptEnd, decideOutcome, type Outcome } from "../job/outcome.ts";
import { TRANSITIONS } from "../job/state.ts";
import type { Clock, Random } from "../lib/clock.ts";
import { messageOf } from "../lib/error_message.ts";
import { pause } from "../lib/pause.ts";
import type { EventBus } from "../queue/events.ts";
import type { LeftFiles } from "../handlers/output_dir.ts";
import type { Artifacts, Claim, EndedAttempt, JobStore } from "../store/store.ts";
import type { AttemptTraces } from "./attempt_traces.ts";
import type { AbortReason, AttemptReport } from "../worker/protocol.ts";
import { endOfAborted } from "../worker/run_attempt.ts";
import type { AttemptFiles } from "./attempt_files.ts";
import { DueTimer } from "./due_timer.ts";
import { Outage } from "./outage.ts";
import type { JobInHand, Slot } from "./slot.ts";

export interface DispatcherOptions {
  readonly store: JobStore;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly holder: string;
  readonly leaseMs: number;
  readonly backoff: BackoffPolicy;
  readonly random: Random;
  /** Null: attempts are not traced. */
  readonly traces: AttemptTraces | null;
  /** The kinds that the workers can run. */
  readonly kinds: () => readonly string[];
  /** How many jobs of a kind may go to a worker at once. */
  readonly chunk: Readonly<Record<string, number>>;
  readonly slots: readonly Slot[];
  /** Called before jobs go to a worker. */
  readonly beforeGive: (jobs: readonly LeasedJob[]) => void;
  readonly files: AttemptFiles;
  /** Called after a job whose input had to be written first went to its worker, or was given up. */
  readonly afterPrepared: () => void;
}

/** Payload bytes that go to a worker at once. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * When trivial jobs arrive one by one faster than this, they are claimed some at a time: claiming
 * and handing over costs many times what running one does. A job after a pause is not held up.
 */
const TRIVIAL_REST_MS = 3;

/** While the store cannot be used. */
const RETRY_MS = 500;

interface Ended extends EndedAttempt {
  artifacts?: Artifacts;
  readonly job: LeasedJob;
  readonly worker: string;
  readonly durationMs: number;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** Whether due jobs may be there. */
  #mayBeDue = true;
  /** Whether due jobs wait for the end of a running one, because of the limits of their queue. */
  #isHeldBack = false;
  #isClaiming = false;
  #isStopped = false;
  readonly #timer: DueTimer;
  /** By `performance.now()`: until then no claim, because the last one found only a few. */
  #restUntilMs = 0;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #outage: Outage;
  /** Ended attempts that the store has not taken yet. */
  readonly #unsettled = new Set<Ended>();
  readonly #settling = new Set<Promise<void>>();
  /** Files that attempts have left, on their way into the store. */
  readonly #keeping = new Set<Promise<unknown>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#timer = new DueTimer(options.clock, {
      onDue: () => this.wake(),
      onEarly: () => {
        if (this.#mayBeDue) this.tryClaim();
      },
    });
    this.#outage = new Outage(options.events);
  }

  /** Something may have become due: a job was added, a worker became free, time has passed. */
  wake(): void {
    this.#mayBeDue = true;
    this.tryClaim();
  }

  /** Stops claiming. What runs goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#timer.stop();
    clearTimeout(this.#restTimer);
  }

  /** Claims if a worker is free and jobs may be due. */
  tryClaim(): void {
    if (this.#isStopped || this.#isClaiming || !this.#mayBeDue) return;
    if (!this.#options.slots.some((slot) => slot.isHungry)) return;
    const restMs = this.#restUntilMs - performance.now();
    if (restMs > 0) {
      this.#restTimer ??= setTimeout(() => {
        this.#restTimer = undefined;
        this.tryClaim();
      }, restMs);
      return;
    }
    this.#claim();
  }

  async #claim(): Promise<void> {
    const { store, holder, leaseMs, kinds, chunk, clock, slots } = this.#options;
    this.#isClaiming = true;
    try {
      const claim = await store.claim(() => {
        // Whoever wakes the dispatcher after this moment is not answered by this claim.
        this.#mayBeDue = false;
        const nowMs = clock();
        const hungry = this.#isStopped ? [] : slots.filter((slot) => slot.isHungry);
        // Idle ones first, so that a lone job never waits behind others.
        hungry.sort((one, other) => Number(other.isIdle) - Number(one.isIdle));
        return {
          holder,
          kinds: kinds(),
          nowMs,
          leaseExpiresAtMs: nowMs + leaseMs,
          slots: hungry.map((slot) => slot.label),
          chunk,
          chunkBytes: CHUNK_BYTES,
        };
      });
      this.#outage.end();
      this.#isHeldBack = claim.isHeldBack;
      if (claim.isMoreDue) this.#mayBeDue = true;
      else if (this.#isTrivial(claim)) this.#restUntilMs = performance.now() + TRIVIAL_REST_MS;
      for (const { worker, jobs } of claim.slots) this.#give(worker, jobs);
      this.#timer.expect(claim.nextDueAtMs);
    } catch (error) {
      this.#outage.begin(error);
      // Later, not at once: a store that refuses without delay would be asked without end.
      this.#mayBeDue = false;
      this.#timer.expect(this.#options.clock() + RETRY_MS);
    } finally {
      this.#isClaiming = false;
    }
    this.tryClaim();
  }

  /** Whether it found jobs, all of them of kinds that take microseconds. */
  #isTrivial({ slots }: Claim): boolean {
    const { chunk } = this.#options;
    return slots.length > 0 &&
      slots.every(({ jobs }) => jobs.every(({ kind }) => (chunk[kind] ?? 1) > 1));
  }

  #give(worker: string, jobs: readonly LeasedJob[]): void {
    const { slots, events, beforeGive, traces } = this.#options;
    const slot = slots.find(({ label }) => label === worker)!;
    if (!slot.isAlive) {
      // It died while the claim was on its way.
      this.release(slot, jobs);
      return;
    }
    beforeGive(jobs);
    const nowMs = this.#options.clock();
    if (traces !== null) jobs = jobs.map((job) => traces.begin(job, { worker, nowMs }));
    // A job with files comes alone.
    if (jobs[0]!.hasFiles) this.#track(this.#prepare(slot, jobs[0]!));
    else slot.give(jobs);
    for (const { id, queue, kind, attempts, dueAtMs } of jobs) {
      events.emit({
        type: "job.started",
        jobId: id,
        queue,
        kind,
        worker,
        attempt: attempts + 1,
        waitedMs: Math.max(0, nowMs - dueAtMs),
      });
    }
  }

  /** Gives a job to a worker once its input is there. */
  async #prepare(slot: Slot, job: LeasedJob): Promise<void> {
    const { files, afterPrepared } = this.#options;
    const stop = slot.hold(job);
    let inputPath: string | null = null;
    let end: AttemptEnd | null = null;
    try {
      inputPath = await files.writeInput(job, () => !stop.aborted && !this.#isStopped);
    } catch (error) {
      end = error instanceof StoreUnavailableError
        ? { type: "released" }
        : noInput(error, files.dir);
    }
    if (stop.aborted) end = endOfAborted(stop.reason as AbortReason, job);
    else if (this.#isStopped) end = { type: "released" };
    if (end === null) {
      slot.giveHeld(inputPath === null ? job : { ...job, inputPath });
    } else {
      await files.clear(job);
      // Unless its worker died meanwhile: then it was given back.
      if (slot.take(job) !== undefined) {
        this.#settleAll(slot, [ended(job, slot, this.#decide(end, job), 0)]);
        this.tryClaim();
      }
    }
    afterPrepared();
  }

  /** Attempts that a worker reports as over. */
  report(slot: Slot, reports: readonly AttemptReport[]): void {
    const batch: Ended[] = [];
    for (const report of reports) {
      const inHand = slot.take(report);
      if (inHand === undefined) continue;
      const outcome = this.#decide(withFollowUps(report.end, inHand), inHand.job);
      const one = { ...ended(inHand.job, slot, outcome, report.durationMs), output: report.output };
      if (inHand.job.hasFiles || report.left !== undefined) {
        this.#unsettled.add(one);
        this.#track(this.#settleWithFiles(slot, one, report.left));
      } else batch.push(one);
    }
    this.#settleAll(slot, batch);
    this.tryClaim();
  }

  /** What the attempt left is stored first: it is kept with the attempt's end, or not at all. */
  async #settleWithFiles(slot: Slot, one: Ended, left: LeftFiles | undefined): Promise<void> {
    const { files } = this.#options;
    const { event } = one.outcome;
    if (event !== "release" && event !== "snooze") {
      const keeping = files.keep(one.job, left ?? { dir: "", files: [], dropped: [] });
      this.#keeping.add(keeping);
      one.artifacts = await keeping.finally(() => this.#keeping.delete(keeping));
    }
    if (this.#isHeldBack) this.#mayBeDue = true;
    const settling = this.#settle(slot, [one]);
    this.tryClaim();
    await settling;
    await files.clear(one.job);
  }

  /** The worker died with these jobs in hand: one was running, the others come back unharmed. */
  reportDeath(slot: Slot, jobs: readonly LeasedJob[], end: AttemptEnd): void {
    const { files, chunk } = this.#options;
    for (const job of jobs) {
      if (job.hasFiles || (chunk[job.kind] ?? 1) === 1) this.#track(files.clear(job));
    }
    const running = slot.runningSeq;
    this.#settleAll(
      slot,
      jobs.map((job) => {
        const outcome = job.seq === running
          ? this.#decide(end, job)
          : { event: "release" } as const;
        return ended(job, slot, outcome, 0);
      }),
    );
    this.wake();
  }

  /** Gives jobs back without costing them an attempt. */
  release(slot: Slot, jobs: readonly LeasedJob[]): void {
    this.#settleAll(slot, jobs.map((job) => ended(job, slot, { event: "release" }, 0)));
  }

  #decide(end: AttemptEnd, job: LeasedJob): Outcome {
    const { clock, backoff, random } = this.#options;
    return decideOutcome(end, job, { nowMs: clock(), backoff, random });
  }

  /** Writes ended attempts down; keeps trying while the store cannot be used. */
  #settleAll(slot: Slot, batch: readonly Ended[]): void {
    if (batch.length === 0) return;
    for (const one of batch) this.#unsettled.add(one);
    // The claim comes last in the commit that ends these, so it finds the places they leave.
    if (this.#isHeldBack) this.#mayBeDue = true;
    this.#track(this.#settle(slot, batch));
  }

  /** Work that must be over before {@link settled} resolves. */
  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#settling.delete(tracked));
    this.#settling.add(tracked);
  }

  async #settle(slot: Slot, batch: readonly Ended[]): Promise<void> {
    const { store, holder, clock, events, traces } = this.#options;
    let isLate = false;
    while (true) {
      try {
        const { answers, added } = await store.settle(batch, holder, clock());
        this.#outage.end();
        if (isLate && this.#isHeldBack) this.#mayBeDue = true;
        for (const { id, queue, kind } of added) {
          events.emit({ type: "job.added", jobId: id, queue, kind });
        }
        for (const [index, one] of batch.entries()) {
          this.#unsettled.delete(one);
          const isSettled = answers[index] === "settled";
          traces?.end(one, isSettled ? one.outcome : null, clock());
          if (isSettled) this.#announce(one);
          else events.emit({ type: "lease.lost", jobId: one.job.id, worker: slot.label });
        }
        if (isLate) this.tryClaim();
        return;
      } catch (error) {
        this.#outage.begin(error);
        isLate = true;
        await pause(RETRY_MS);
      }
    }
  }

  #announce({ job, worker, outcome, durationMs }: Ended): void {
    const { events } = this.#options;
    if ("dueAtMs" in outcome) this.#timer.expect(outcome.dueAtMs);
    if (outcome.event === "release") this.#mayBeDue = true;
    events.emit({
      type: "job.ended",
      jobId: job.id,
      queue: job.queue,
      kind: job.kind,
      worker,
      attempt: job.attempts + 1,
      event: outcome.event,
      state: TRANSITIONS[outcome.event].to,
      durationMs,
      error: "error" in outcome ? outcome.error : undefined,
      dueAtMs: "dueAtMs" in outcome ? outcome.dueAtMs : undefined,
    });
  }

  /** Leases whose outcomes wait for the store: they must be renewed too. */
  unsettledLeases(): Lease[] {
    return [...this.#unsettled].map(({ seq, token }) => ({ seq, token }));
  }

  /** Resolves when what attempts have left so far is stored, or cannot be. */
  async kept(): Promise<void> {
    await Promise.all(this.#keeping);
  }

  /** Resolves when every outcome so far has been taken or refused. */
  async settled(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling);
  }
}

/** What a success brings with it. */
function withFollowUps(end: AttemptEnd, { followUps }: JobInHand): AttemptEnd {
  return end.type === "succeeded" && followUps.length > 0 ? { ...end, followUps } : end;
}

function noInput(error: unknown, dir: string): AttemptEnd {
  const reason = messageOf(error);
  const message = `the input could not be written to ${dir} (work-dir): ${reason}`;
  return { type: "failed", error: { code: "input", message } };
}

function ended(job: LeasedJob, slot: Slot, outcome: Outcome, durationMs: number): Ended {
  return { seq: job.seq, token: job.token, outcome, job, worker: slot.label, durationMs };
}
