/**
 * Takes back jobs whose lease has expired, at start-up and at every reap interval, whichever process
 * held them. Jobs of a process on this machine that has certainly ended come back at once.
 */
import type { BackoffPolicy } from "../job/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { mayBeAlive, thisHost } from "../lib/process_identity.ts";
import type { EventBus } from "../queue/events.ts";
import type { JobStore, WorkerStatus } from "../store/store.ts";
import { Duty } from "./duty.ts";

export interface ReaperOptions {
  readonly store: JobStore;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly intervalMs: number;
  readonly backoff: BackoffPolicy;
  readonly onError: (error: unknown) => void;
}

/** Jobs taken back in one commit. */
const BATCH = 500;

export function createReaper(options: ReaperOptions): Duty {
  const { store, events, clock, leaseMs, backoff } = options;
  const host = thisHost();

  const work = async () => {
    const deadHolders = findDeadHolders(await store.workers(), host);
    while (true) {
      const request = { nowMs: clock(), leaseMs, backoff, deadHolders, limit: BATCH };
      const reaped = await store.reap(request);
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
  return new Duty(work, { everyMs: options.intervalMs, onError: options.onError });
}

function findDeadHolders(workers: readonly WorkerStatus[], host: string): string[] {
  const dead = workers.filter((worker) =>
    worker.host === host && !mayBeAlive(worker.pid, worker.processStart)
  );
  return [...new Set(dead.map((worker) => worker.holder))];
}
