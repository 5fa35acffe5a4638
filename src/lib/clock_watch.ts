/**
 * Notices that the machine's clock was set, by comparing it with one that nobody sets. Sleep counts
 * too: while a machine is suspended only the wall clock goes on. Knows nothing of what hangs on it.
 */
import type { Clock } from "./clock.ts";

/** Corrections below this are ordinary, and smaller than what anybody here waits for. */
const LEAST_MS = 1_000;

export class ClockWatch {
  readonly #wall: Clock;
  readonly #steady: Clock;
  #aheadMs: number;

  /** `steady` counts milliseconds from any moment on, at the pace of time. */
  constructor(wall: Clock, steady: Clock = () => performance.now()) {
    this.#wall = wall;
    this.#steady = steady;
    this.#aheadMs = wall() - steady();
  }

  /**
   * By how much the clock was set since this was last asked: positive is forward, 0 is not at all.
   *
   * @example
   * ```ts
   * import { ClockWatch } from "./clock_watch.ts";
   * let wallMs = 0;
   * const watch = new ClockWatch(() => wallMs, () => 0);
   * wallMs = 3_600_000;
   * console.assert(watch.jumpMs() === 3_600_000 && watch.jumpMs() === 0);
   * ```
   */
  jumpMs(): number {
    const aheadMs = this.#wall() - this.#steady();
    const jumpMs = aheadMs - this.#aheadMs;
    if (Math.abs(jumpMs) < LEAST_MS) return 0;
    this.#aheadMs = aheadMs;
    return Math.round(jumpMs);
  }
}
