/**
 * The queue as it ought to be, in a few plain objects: what the simulation holds the store against.
 * Every change of state goes through the transition table; knows no storage. Invariant: a job's
 * state never changes but by {@link Model.apply}.
 */
import assert from "node:assert/strict";
import { HELD_MS, type LeasedJob, type NewJob } from "../../src/job/job.ts";
import { type AttemptEnd, decideOutcome, reapedDueAtMs } from "../../src/job/outcome.ts";
import {
  isAllowed,
  isFinished,
  isLeased,
  type JobEvent,
  type JobState,
  STATES,
  TRANSITIONS,
} from "../../src/job/state.ts";
import type { StateCounts } from "../../src/store/store.ts";
import { T0 } from "../helpers/jobs.ts";
import { ended, holderOf, type ModelDependency, waitAgain } from "./relations.ts";

export const LEASE_MS = 10_000;
export const BACKOFF = { base: 2, capMs: 5_000 };

export interface ModelJob {
  readonly id: string;
  /** Place in the order of insertion. */
  readonly order: number;
  readonly queue: string;
  readonly priority: number;
  readonly maxRetries: number;
  state: JobState;
  runAtMs: number;
  attempts: number;
  token: number;
  holder: string | null;
  leaseExpiresAtMs: number;
  isCancelRequested: boolean;
  /** Every attempt that ended without success: number and outcome. */
  readonly history: { token: number; attempt: number; outcome: "failed" | "cancelled" }[];
  /** Failures since the job was added or requeued. */
  failures: number;
  /** At most one live job has it. */
  uniqueKey: string | null;
  /** The jobs that it waits for, or has waited for. */
  readonly after: ModelDependency[];
}

/** A lease that was handed out at some time, held or lost. */
export interface ModelLease {
  readonly job: ModelJob;
  readonly leased: LeasedJob;
  readonly holder: string;
}

export class Model {
  nowMs = T0;
  readonly jobs = new Map<string, ModelJob>();
  /** All that were ever handed out, oldest first. */
  readonly leases: ModelLease[] = [];
  /** What was said of queues. */
  readonly rules = new Map<string, { isPaused: boolean; maxRunning: number | null }>();
  added = 0;
  removed = 0;
  readonly #walked: Set<JobEvent>;

  /** Notes in `walked` which transitions happen. */
  constructor(walked: Set<JobEvent>) {
    this.#walked = walked;
  }

  add({ id, queue, priority, maxRetries, runAtMs }: NewJob): ModelJob {
    const order = this.added++;
    const job: ModelJob = {
      ...{ id, order, queue, priority, maxRetries, runAtMs },
      ...{ state: "pending", attempts: 0, token: 0, holder: null, leaseExpiresAtMs: 0 },
      ...{ isCancelRequested: false, history: [], failures: 0 },
      ...{ uniqueKey: null, after: [] },
    };
    this.jobs.set(id, job);
    return job;
  }

  /** The one place where a state changes. */
  apply(event: JobEvent, job: ModelJob): void {
    assert.ok(
      isAllowed(event, job.state),
      `the model was led to ${event} a job that is ${job.state}`,
    );
    job.state = TRANSITIONS[event].to;
    this.#walked.add(event);
  }

  /** Due jobs of a queue in the order of the contract. */
  due(queue: string): ModelJob[] {
    return [...this.jobs.values()]
      .filter((job) =>
        job.queue === queue && isAllowed("claim", job.state) && job.runAtMs <= this.nowMs
      )
      .sort((one, other) =>
        other.priority - one.priority || one.runAtMs - other.runAtMs || one.order - other.order
      );
  }

  /** How many more jobs of the queue may be claimed now, due or not. */
  room(queue: string): number {
    const { isPaused = false, maxRunning = null } = this.rules.get(queue) ?? {};
    if (isPaused) return 0;
    if (maxRunning === null) return Infinity;
    const running = [...this.jobs.values()]
      .filter((job) => job.queue === queue && isLeased(job.state)).length;
    return Math.max(0, maxRunning - running);
  }

  /** When the next job of these queues falls due that is not yet due. */
  nextDueAtMs(queues: readonly string[]): number | null {
    const times = this.laterTimes(queues);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** When the jobs of these queues fall due that are not yet due. */
  laterTimes(queues: readonly string[]): number[] {
    return [...this.jobs.values()]
      .filter((job) => isAllowed("claim", job.state) && job.runAtMs > this.nowMs)
      .filter((job) => queues.includes(job.queue) && job.runAtMs !== HELD_MS)
      .map((job) => job.runAtMs);
  }

  claim(leased: LeasedJob, holder: string): void {
    const job = this.jobs.get(leased.id)!;
    this.apply("claim", job);
    assert.ok(leased.token > job.token, `the token of ${job.id} did not rise`);
    assert.equal(leased.attempts, job.attempts);
    job.token = leased.token;
    job.holder = holder;
    job.leaseExpiresAtMs = this.nowMs + LEASE_MS;
    this.leases.push({ job, leased, holder });
  }

  /** Whether a write by this holder under this lease must be accepted. */
  holds({ job, leased }: ModelLease, holder: string): boolean {
    return this.jobs.get(job.id) === job && isLeased(job.state) &&
      job.token === leased.token && job.holder === holder;
  }

  /** What a worker would report, by the rules of the domain. */
  outcomeOf({ leased }: ModelLease, end: AttemptEnd) {
    return decideOutcome(end, leased, { nowMs: this.nowMs, backoff: BACKOFF, random: () => 0.5 });
  }

  settle(lease: ModelLease, outcome: ReturnType<Model["outcomeOf"]>): void {
    const { job } = lease;
    const isUnwanted = job.isCancelRequested && outcome.event !== "complete";
    const event = isUnwanted ? "abort" : outcome.event;
    this.apply(event, job);
    if (event === "fail" || event === "bury") this.#countFailure(job);
    if (event === "abort") this.#remember(job, "cancelled", job.attempts + 1);
    if (isFinished(job.state)) ended(this, job);
    if (!isUnwanted && "dueAtMs" in outcome) job.runAtMs = outcome.dueAtMs;
  }

  /** Jobs whose lease has lapsed. */
  lapsed(deadHolders: readonly string[]): ModelJob[] {
    return [...this.jobs.values()].filter((job) =>
      isLeased(job.state) &&
      (job.leaseExpiresAtMs <= this.nowMs || deadHolders.includes(job.holder!))
    );
  }

  reap(job: ModelJob): void {
    const { attempts, leaseExpiresAtMs } = job;
    this.#countFailure(job);
    if (job.isCancelRequested || job.attempts > job.maxRetries) {
      this.apply(job.isCancelRequested ? "reapCancelled" : "reapDead", job);
      return ended(this, job);
    }
    this.apply("reap", job);
    const times = { nowMs: this.nowMs, leaseMs: LEASE_MS, backoff: BACKOFF };
    job.runAtMs = reapedDueAtMs({ attempts, leaseExpiresAtMs }, times);
  }

  cancel(job: ModelJob): "changed" | "requested" | "refused" {
    if (isAllowed("cancel", job.state)) {
      this.apply("cancel", job);
      ended(this, job);
      return "changed";
    }
    if (!isAllowed("abort", job.state)) return "refused";
    job.isCancelRequested = true;
    return "requested";
  }

  requeue(job: ModelJob): "changed" | "refused" {
    if (!isAllowed("requeue", job.state)) return "refused";
    if (job.uniqueKey !== null && holderOf(this, job.uniqueKey) !== undefined) return "refused";
    this.apply("requeue", job);
    job.attempts = 0;
    job.failures = 0;
    job.runAtMs = this.nowMs;
    job.isCancelRequested = false;
    waitAgain(this, job);
    return "changed";
  }

  remove(job: ModelJob): "changed" | "refused" {
    if (isLeased(job.state)) return "refused";
    if (!isFinished(job.state)) ended(this, job, true);
    this.jobs.delete(job.id);
    this.removed++;
    return "changed";
  }

  inState(state: JobState): ModelJob[] {
    return [...this.jobs.values()].filter((job) => job.state === state);
  }

  counts(): StateCounts {
    return Object.fromEntries(
      STATES.map((state) => [state, this.inState(state).length]),
    ) as StateCounts;
  }

  #countFailure(job: ModelJob): void {
    job.attempts++;
    job.failures++;
    this.#remember(job, "failed", job.attempts);
  }

  #remember(job: ModelJob, outcome: "failed" | "cancelled", attempt: number): void {
    job.history.push({ token: job.token, attempt, outcome });
  }
}
