/**
 * Takes back jobs whose lease has expired, at start-up and at every reap interval, whichever process
 * held them. Jobs of a process on this machine that has certainly ended come back at once. Makes good
 * what a clock that was set would do: take jobs from live workers, or let due ones wait; and what a
 * store would do that was away, so that nobody could renew.
 */
import type { BackoffPolicy } from "../job/backoff.ts";
import { ClockWatch } from "../lib/clock_watch.ts";
import { mayBeAlive, thisHost } from "../lib/process_identity.ts";
import type { Queue } from "../queue/queue.ts";
import type { WorkerStatus } from "../store/store.ts";
import { type Duty, PeriodicDuty } from "./duty.ts";

export interface ReaperOptions {
  readonly queue: Queue;
  readonly leaseMs: number;
  readonly everyMs: number;
  readonly backoff: BackoffPolicy;
  readonly onError: (error: unknown) => void;
}

/** Jobs taken back in one commit. */
const BATCH = 500;

export function createReaper(options: ReaperOptions): Duty {
  const { queue: { store, events, clock }, leaseMs, backoff, everyMs, onError } = options;
  const host = thisHost();
  const grace = new Grace(leaseMs);
  const watch = new ClockWatch(clock);
  // It may have been set back while nobody watched.
  let isSetBack = true;
  let untoldMs = 0;

  /** When the store was last there for all that is to be done, and whether it was not since. */
  let lastSignMs = performance.now();
  let isAway = false;

  /** Looks whether the clock was set in the same moment, so that no other time is ever taken for now. */
  const now = () => {
    const byMs = watch.jumpMs();
    if (byMs > 0) grace.begin(byMs);
    if (byMs < 0) isSetBack = true;
    untoldMs += byMs;
    return clock();
  };

  const lookAtClock = async () => {
    now();
    if (isSetBack) await store.rebase(clock());
    isSetBack = false;
    if (untoldMs !== 0) events.emit({ type: "clock.set", byMs: untoldMs });
    untoldMs = 0;
  };

  const reap = async () => {
    const deadHolders = findDeadHolders(await store.workers(), host);
    // It answers again: others, too, have not been able to renew their leases meanwhile. What was asked
    // when it went may have waited for it, and not failed.
    const silentMs = Math.ceil(performance.now() - lastSignMs);
    if (isAway || silentMs > everyMs + leaseMs / 2) grace.begin(silentMs);
    isAway = false;
    while (true) {
      const request = { nowMs: now(), leaseMs, backoff, deadHolders, limit: BATCH };
      const reaped = await store.reap({ ...request, graceMs: grace.ms });
      for (const job of reaped) {
        events.emit({
          type: "job.reaped",
          jobId: job.id,
          queue: job.queue,
          worker: job.worker,
          state: job.state,
          attempts: job.attempts,
        });
      }
      if (reaped.length < BATCH) break;
    }
    for (const holder of deadHolders) await store.removeWorkers(holder);
  };

  const work = async () => {
    const beganMs = performance.now();
    try {
      await lookAtClock();
      await reap();
      lastSignMs = beganMs; // since then it may have been away, if this took long
    } catch (error) {
      isAway = true;
      throw error;
    }
  };
  return new PeriodicDuty(work, { everyMs, onError });
}

/**
 * When the clock is set forward, every lease has expired in that moment, and those who hold them
 * live; so it is when the store was away for long. For the length of a lease, in which they all renew,
 * that time does not count.
 */
class Grace {
  readonly #leaseMs: number;
  #byMs = 0;
  #untilMs = -Infinity;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  begin(byMs: number): void {
    this.#byMs = this.ms + byMs;
    this.#untilMs = performance.now() + this.#leaseMs;
  }

  /** How long after their expiry leases still hold. */
  get ms(): number {
    return performance.now() < this.#untilMs ? this.#byMs : 0;
  }
}

function findDeadHolders(workers: readonly WorkerStatus[], host: string): string[] {
  const dead = workers.filter((worker) =>
    worker.host === host && !mayBeAlive(worker.pid, worker.processStart)
  );
  return [...new Set(dead.map((worker) => worker.holder))];
}
