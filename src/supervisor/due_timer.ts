/**
 * Knows when the next job falls due, and says so then. Timers are short, so that a change of the
 * clock is noticed.
 */
import type { Clock } from "../lib/clock.ts";

/** Timers are cut to this. */
const LONGEST_MS = 1_000;

export interface DueTimerEvents {
  /** The time that was expected has come. */
  onDue(): void;
  /** A timer is over, and the time has not come yet. */
  onEarly(): void;
}

export class DueTimer {
  readonly #clock: Clock;
  readonly #events: DueTimerEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAtMs: number | null = null;
  #isStopped = false;

  constructor(clock: Clock, events: DueTimerEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** The earliest of the times that were expected counts; null: none is. */
  expect(atMs: number | null): void {
    if (atMs === null) return;
    this.#dueAtMs = Math.min(this.#dueAtMs ?? atMs, atMs);
    this.#set(this.#dueAtMs - this.#clock());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #set(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const cutMs = Math.max(0, Math.min(delayMs, LONGEST_MS));
    this.#timer = setTimeout(() => this.#onTimer(), cutMs);
  }

  #onTimer(): void {
    const nowMs = this.#clock();
    if (this.#dueAtMs !== null && this.#dueAtMs > nowMs) {
      this.#set(this.#dueAtMs - nowMs);
      this.#events.onEarly();
      return;
    }
    this.#dueAtMs = null;
    this.#events.onDue();
  }
}
