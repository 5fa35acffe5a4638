/** Runs the work of one process: see the interface; the implementation follows. */
import type { Settings } from "../config/settings.ts";
import type { Queue } from "../queue/queue.ts";
import type { Random } from "../lib/clock.ts";

export interface EngineOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly role: "serve" | "worker";
  readonly random: Random;
}

export interface Engine {
  /** Names this process as a holder of leases. */
  readonly holder: string;
  /** True from the first call of `drain`. */
  readonly isDraining: boolean;
  /**
   * Stops claiming, lets running jobs finish for up to `shutdown-timeout`, gives the rest back
   * without costing an attempt, and ends the workers.
   */
  drain(): Promise<void>;
  /** Stops at once: kills what runs and gives it back. Also ends a drain that is under way. */
  stop(): Promise<void>;
}

/** Starts workers, dispatcher, heartbeat and reaper. */
export function startEngine(_options: EngineOptions): Promise<Engine> {
  throw new Error("under construction");
}
