/** queuectl's queue inside the program that measures it, with the default settings. */
import { resolveSettings, type Settings } from "../../../src/config/settings.ts";
import { PAYLOAD_PARSERS } from "../../../src/handlers/registry.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { newId } from "../../../src/lib/ids.ts";
import { Queue } from "../../../src/queue/queue.ts";
import type { QueueEvent } from "../../../src/queue/events.ts";
import { openStore } from "../../../src/store/open.ts";
import type { JobStore } from "../../../src/store/store.ts";

export interface OpenedQueue extends AsyncDisposable {
  readonly queue: Queue;
  readonly store: JobStore;
  readonly settings: Settings;
}

/** Where the queue is to stand that is measured. */
export function dbOf({ directory, db }: { directory: string; db?: string }): string {
  return db ?? `${directory}/queue.db`;
}

export async function openQueue(db: string, { workers = 2 } = {}): Promise<OpenedQueue> {
  const settings = resolveSettings({
    flags: { workers: String(workers) },
    env: () => undefined,
    stored: new Map(),
  });
  const store = await openStore({
    db,
    driver: "builtin",
    clock: systemClock,
    synchronous: () => "full",
  });
  const queue = new Queue({
    store,
    clock: systemClock,
    newId,
    kinds: PAYLOAD_PARSERS,
    maxRetries: settings["max-retries"],
    timeoutMs: settings["job-timeout"],
    cwd: null,
    workerTimeoutMs: settings.lease,
  });
  return { queue, store, settings, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** When the first of the next jobs started and, later, when that many of them have ended. */
export function watchJobs(
  queue: Queue,
  count: number,
): Promise<{ startMs: number; endMs: number }> {
  return new Promise((resolve, reject) => {
    let startMs: number | null = null;
    let ended = 0;
    const subscription = queue.events.subscribe((event: QueueEvent) => {
      if (event.type === "job.started") startMs ??= performance.now();
      if (event.type !== "job.ended") return;
      if (event.state !== "completed") {
        subscription[Symbol.dispose]();
        reject(new Error(`the job ${event.jobId} ended as ${event.state}`));
      }
      if (++ended < count) return;
      subscription[Symbol.dispose]();
      resolve({ startMs: startMs!, endMs: performance.now() });
    });
  });
}
