/**
 * Runs schedules when their time has come. Sleeps until the next one is due; woken when schedules
 * change, here or in another process, and when the clock was set. Every process that works has one:
 * the store sees to it that each time is run once.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import type { Queue } from "../queue/queue.ts";
import { Schedules } from "../queue/schedules.ts";
import type { Duty } from "./duty.ts";

export interface SchedulerOptions {
  readonly queue: Queue;
  /** Gets what is no fault of the store. */
  readonly onError: (error: unknown) => void;
}

/** Timers are cut to this: what they wait for may be years away. */
const LONGEST_SLEEP_MS = 3_600_000;

/** Changes by others come in bursts, most of which are not about schedules. */
const AFTER_CHANGE_MS = 50;

/** Until the store is asked again that could not be used, and a full queue. */
const RETRY_MS = 2_000;

export class Scheduler implements Duty {
  readonly #queue: Queue;
  readonly #schedules: Schedules;
  readonly #onError: SchedulerOptions["onError"];
  #subscriptions: Disposable[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changeTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;
  /** It may have been set while nobody watched. */
  #wasClockSet = true;

  constructor({ queue, onError }: SchedulerOptions) {
    this.#queue = queue;
    this.#schedules = new Schedules(queue);
    this.#onError = onError;
  }

  start(): void {
    this.#isStopped = false;
    this.#subscriptions = [
      this.#queue.store.watch(() => {
        this.#changeTimer ??= setTimeout(() => {
          this.#changeTimer = undefined;
          this.#wake();
        }, AFTER_CHANGE_MS);
      }),
      this.#queue.events.subscribe(({ type }) => {
        if (type === "clock.set") this.#wasClockSet = true;
        if (type === "clock.set" || type === "schedules.changed") this.#wake();
      }),
    ];
    this.#wake();
  }

  /** Runs what is due now, after a run that is under way. */
  runOnce(): Promise<void> {
    this.#running = this.#running.then(() => this.#work()).catch(this.#onError);
    return this.#running;
  }

  /** Resolves when nothing is under way and nothing will follow. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#subscriptions = [];
    clearTimeout(this.#timer);
    clearTimeout(this.#changeTimer);
    this.#changeTimer = undefined;
    await this.#running;
  }

  #wake(): void {
    if (!this.#isStopped) this.runOnce();
  }

  async #work(): Promise<void> {
    try {
      if (this.#wasClockSet) {
        await this.#schedules.rebase();
        this.#wasClockSet = false;
      }
      this.#sleepUntil(await this.#runDue());
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      this.#sleepUntil(this.#queue.clock() + RETRY_MS);
    }
  }

  /** Runs what is due; returns when to look again. */
  async #runDue(): Promise<number | null> {
    while (true) {
      const { due, nextAtMs } = await this.#schedules.due();
      if (due.length === 0) return nextAtMs;
      for (const schedule of due) {
        if (!await this.#schedules.runDue(schedule)) return this.#queue.clock() + RETRY_MS;
      }
    }
  }

  #sleepUntil(atMs: number | null): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || atMs === null) return;
    const sleepMs = Math.max(0, Math.min(atMs - this.#queue.clock(), LONGEST_SLEEP_MS));
    this.#timer = setTimeout(() => this.#wake(), sleepMs);
  }
}
