/**
 * Traces of attempts: how long a job waited for its worker, and how its attempt went, as children of
 * the request that added it. What the attempt starts continues the attempt's own span.
 */
import type { Lease, LeasedJob } from "../job/job.ts";
import type { Outcome } from "../job/outcome.ts";
import type { OpenSpan, Tracing } from "../lib/tracing.ts";

export class AttemptTraces {
  readonly #tracing: Tracing;
  readonly #running = new Map<string, OpenSpan>();

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** The job as it goes to its worker: with the context of its attempt. */
  begin(job: LeasedJob, { worker, nowMs }: { worker: string; nowMs: number }): LeasedJob {
    const parent = job.options?.traceparent ?? null;
    const attributes = {
      "messaging.system": "queuectl",
      "messaging.destination.name": job.queue,
      "messaging.message.id": job.id,
      "queuectl.kind": job.kind,
      "queuectl.attempt": job.attempts + 1,
      "queuectl.worker": worker,
    };
    if (parent !== null) {
      const dueAtMs = Math.min(job.dueAtMs, nowMs);
      this.#tracing.begin("queuectl claim", { parent, atMs: dueAtMs, attributes }).end(nowMs);
    }
    const name = `queuectl attempt ${job.kind}`;
    const options = { parent, atMs: nowMs, isConsumer: true, attributes };
    const span = this.#tracing.begin(name, options);
    this.#running.set(keyOf(job), span);
    return { ...job, traceparent: span.traceparent };
  }

  /** What became of the attempt; null: its lease was lost. */
  end(lease: Lease, outcome: Outcome | null, nowMs: number): void {
    const key = keyOf(lease);
    const error = outcome === null
      ? "the lease was lost"
      : "error" in outcome
      ? outcome.error?.message
      : undefined;
    this.#running.get(key)?.end(nowMs, {
      attributes: { "queuectl.outcome": outcome?.event ?? "lease-lost" },
      ...(error === undefined ? {} : { error }),
    });
    this.#running.delete(key);
  }
}

function keyOf({ seq, token }: Lease): string {
  return `${seq}:${token}`;
}
