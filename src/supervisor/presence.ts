/**
 * What this process says of itself in the store, where other processes read it: its workers, and the
 * kinds for which it has handlers. Knows nothing of what the workers do.
 */
import { processStart, thisHost } from "../lib/process_identity.ts";
import type { Queue } from "../queue/queue.ts";
import type { WorkerRecord } from "../store/store.ts";
import type { Slot } from "./slot.ts";

export interface PresenceOptions {
  readonly queue: Queue;
  readonly holder: string;
  readonly role: WorkerRecord["role"];
  readonly slots: readonly Slot[];
}

/** How often it is said anew for which kinds there are handlers. */
const KINDS_EVERY_MS = 3_600_000;

export class Presence {
  readonly #options: PresenceOptions;
  readonly #process: Pick<WorkerRecord, "holder" | "pid" | "host" | "processStart" | "role">;
  #kindsSavedAtMs = -Infinity;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#process = {
      holder: options.holder,
      pid: Deno.pid,
      host: thisHost(),
      processStart: processStart(Deno.pid),
      role: options.role,
    };
  }

  /** Which workers there are, what they run, and that they live. */
  async saveWorkers(
    { isDraining, kinds }: { readonly isDraining: boolean; readonly kinds: readonly string[] },
  ): Promise<void> {
    const { queue: { store, clock }, slots } = this.#options;
    if (slots.length === 0) return;
    const workers = slots.map((slot): WorkerRecord => ({
      ...this.#process,
      label: slot.label,
      status: isDraining ? "draining" : slot.isIdle ? "idle" : "busy",
      restarts: slot.restarts,
      startedAtMs: slot.startedAtMs || clock(),
      kinds,
    }));
    await store.saveWorkers(workers, clock());
  }

  /** For which kinds there are handlers, so that other processes accept jobs of them. */
  async saveKinds(kinds: readonly string[], { areNew = false } = {}): Promise<void> {
    if (areNew) this.#kindsSavedAtMs = -Infinity;
    if (kinds.length === 0 || performance.now() - this.#kindsSavedAtMs < KINDS_EVERY_MS) return;
    this.#kindsSavedAtMs = performance.now();
    const { store, clock } = this.#options.queue;
    await store.saveKinds(kinds, clock());
  }

  /** The workers are no more. While the store cannot be used, others find it out by themselves. */
  async end(): Promise<void> {
    const { queue, holder } = this.#options;
    await queue.store.removeWorkers(holder).catch(() => {});
  }
}
