/**
 * What happens in the queue, as typed events: one model for logs now, and for metrics and live
 * pages. Emitting is synchronous and never throws into the emitter.
 */
import type { AttemptError } from "../job/job.ts";
import type { FinishedState } from "../job/retention.ts";
import type { JobEvent, JobState } from "../job/state.ts";

interface JobFacts {
  readonly jobId: string;
  readonly queue: string;
  readonly kind: string;
}

export type QueueEvent =
  /** Jobs are about to become due: whoever claims should look. Perhaps for nothing. */
  | { readonly type: "work.expected" }
  /** Jobs of schedules name theirs. */
  | ({ readonly type: "job.added"; readonly schedule?: string } & JobFacts)
  | ({
    readonly type: "job.started";
    readonly worker: string;
    readonly attempt: number;
    /** From when it was due. */
    readonly waitedMs: number;
  } & JobFacts)
  | ({
    readonly type: "job.ended";
    readonly worker: string;
    readonly attempt: number;
    readonly event: JobEvent;
    readonly state: JobState;
    readonly durationMs: number;
    readonly error?: AttemptError;
    /** When it runs again, after a failure with retries left. */
    readonly dueAtMs?: number;
  } & JobFacts)
  | {
    readonly type: "job.reaped";
    readonly jobId: string;
    readonly queue: string;
    readonly worker: string | null;
    readonly state: JobState;
    readonly attempts: number;
  }
  /** Somebody asked to stop a running job. */
  | { readonly type: "cancel.requested"; readonly jobId: string }
  /** An attempt ended after its lease was lost: what it did was not recorded. */
  | { readonly type: "lease.lost"; readonly jobId: string; readonly worker: string }
  | { readonly type: "worker.started"; readonly worker: string; readonly restarts: number }
  | {
    readonly type: "worker.died";
    readonly worker: string;
    readonly reason: "crash" | "hang";
    readonly message: string;
    readonly pauseMs: number;
  }
  /** A schedule was made, replaced or resumed by this process. */
  | { readonly type: "schedules.changed" }
  /** Times of a schedule passed while nothing ran; so many jobs make up for them. */
  | {
    readonly type: "schedule.missed";
    readonly schedule: string;
    readonly sinceMs: number;
    readonly jobs: number;
  }
  /** A schedule's time has come, but the job before is not finished. */
  | { readonly type: "schedule.overlapped"; readonly schedule: string; readonly jobId: string }
  | { readonly type: "schedule.failed"; readonly schedule: string; readonly message: string }
  /** A handler program does what it should not while no job runs that could fail because of it. */
  | { readonly type: "handler.trouble"; readonly worker: string; readonly message: string }
  /** Handlers were loaded anew because their files have changed, or could not be. */
  | { readonly type: "handlers.reloaded"; readonly kinds: readonly string[] }
  | { readonly type: "handlers.refused"; readonly message: string }
  /** A webhook has arrived, or has not; the query of its URL is left out. */
  | {
    readonly type: "webhook.delivered" | "webhook.failed";
    readonly deliveryId: string;
    readonly jobId: string;
    readonly url: string;
    readonly attempt: number;
    readonly status: number | null;
    readonly error?: string;
    /** When it is tried again; missing: it is not. */
    readonly retryAtMs?: number;
  }
  /** No webhook can be sent at all. */
  | { readonly type: "webhooks.stuck"; readonly message: string }
  /** Finished jobs were deleted, because of their age or number. */
  | { readonly type: "jobs.pruned"; readonly jobs: Readonly<Record<FinishedState, number>> }
  /** The machine's clock was set: forward where the number is positive. */
  | { readonly type: "clock.set"; readonly byMs: number }
  | { readonly type: "store.unavailable"; readonly message: string }
  | { readonly type: "store.available" };

export type QueueEventListener = (event: QueueEvent) => void;

/** Hands events to whoever listens. */
export class EventBus {
  readonly #listeners = new Set<QueueEventListener>();

  subscribe(listener: QueueEventListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  emit(event: QueueEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
