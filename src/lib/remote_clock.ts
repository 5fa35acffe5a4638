/**
 * The time that another machine's clock shows, as far as it can be known from here: what it said last,
 * and how long that is ago by a clock that nobody sets. Knows nothing of who is asked.
 *
 * Invariant: never further off than the way there and back took when it was last asked, however this
 * machine's own clock is set.
 */
import type { Clock } from "./clock.ts";

export class RemoteClock {
  readonly #steady: Clock;
  /** By how much it is ahead of the steady clock. */
  #aheadMs: number | null = null;

  /** `steady` counts milliseconds from any moment on, at the pace of time. */
  constructor(steady: Clock = () => performance.now()) {
    this.#steady = steady;
  }

  /** To be called before it is asked: what {@link heard} wants to know. */
  ask(): number {
    return this.#steady();
  }

  /**
   * It has answered, so it has shown `remoteMs` at some moment since it was asked. What was thought of
   * it stays as long as that may be right: then time here does not jump with each answer.
   *
   * @example
   * ```ts
   * import assert from "node:assert/strict";
   * let steadyMs = 0;
   * const clock = new RemoteClock(() => steadyMs);
   * const askedMs = clock.ask();
   * steadyMs = 10;
   * clock.heard(1_000_005, askedMs);
   * assert.equal(clock.now(), 1_000_010); // between 1_000_005 and 1_000_015
   * ```
   */
  heard(remoteMs: number, askedMs: number): void {
    const [least, most] = [remoteMs - this.#steady(), remoteMs - askedMs];
    if (this.#aheadMs === null) this.#aheadMs = (least + most) / 2;
    else this.#aheadMs = Math.min(Math.max(this.#aheadMs, least), most);
  }

  /** Whole milliseconds since 1970; the local time before it was ever heard. */
  readonly now: Clock = () =>
    this.#aheadMs === null ? Date.now() : Math.floor(this.#steady() + this.#aheadMs);
}
