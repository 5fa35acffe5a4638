/**
 * Looking on while things happen: tells whoever draws or prints when to look again. Owns how often;
 * the live feed and the store's watch say when, so that an idle queue costs one look a second.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import { EventFeed, type FeedEvent } from "../queue/feed.ts";
import type { Queue } from "../queue/queue.ts";

export interface LiveOptions {
  readonly signal: AbortSignal;
  /** Between two looks at least, however much happens. */
  readonly leastMs: number;
  /** Without any change there is a look after so long, since times that are shown go on. */
  readonly mostMs: number;
}

/** So many of the events since the last look are handed over, the newest. */
const MOST_EVENTS = 100;

export class LiveQueue {
  readonly #queue: Queue;
  readonly #options: LiveOptions;
  readonly #sleepers = new Set<() => void>();
  #events: FeedEvent[] = [];
  #isDue = false;
  #isUrgent = false;

  constructor(queue: Queue, options: LiveOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  /** Says that somebody waits for the next look. */
  lookNow(): void {
    this.#isUrgent = true;
    this.#wake();
  }

  /**
   * Each value is a reason to look: now, after every change by whatever process, and after a while;
   * with what has happened. Ends with the signal.
   */
  async *looks(): AsyncGenerator<readonly FeedEvent[]> {
    const { leastMs, mostMs } = this.#options;
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#options.signal]);
    signal.addEventListener("abort", () => this.#wake());
    using _others = this.#queue.store.watch(() => this.#lookSoon());
    let failure: unknown = null;
    const following = this.#follow(signal).catch((error: unknown) => {
      failure = error;
      this.lookNow();
    });
    try {
      while (!signal.aborted) {
        if (failure !== null) throw failure;
        const startedMs = performance.now();
        const events = this.#events;
        this.#events = [];
        this.#isDue = this.#isUrgent = false;
        yield events;
        // Looking takes long when a search does: then it is done less often.
        const pauseMs = Math.max(leastMs, 4 * (performance.now() - startedMs));
        await this.#sleep(pauseMs, () => this.#isUrgent || signal.aborted);
        await this.#sleep(mostMs, () => this.#isDue || this.#isUrgent || signal.aborted);
      }
    } finally {
      ending.abort();
      await following;
    }
  }

  /** Gathers events; where the store fails for a time, it begins anew. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#queue;
    while (!signal.aborted) {
      const feed = new EventFeed(store, clock);
      try {
        for await (const event of feed.follow({ after: null, filter: {}, signal })) {
          if (!("event" in event)) continue;
          this.#events.push(event);
          if (this.#events.length > MOST_EVENTS) this.#events.shift();
          this.#lookSoon();
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await this.#sleep(this.#options.mostMs, () => signal.aborted);
      }
    }
  }

  #lookSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#sleepers) wake();
  }

  /** Until it is over, which is asked at every wake-up, but no longer than this. */
  async #sleep(ms: number, isOver: () => boolean): Promise<void> {
    const untilMs = performance.now() + ms;
    while (!isOver() && performance.now() < untilMs) {
      const woken = Promise.withResolvers<void>();
      const timer = setTimeout(woken.resolve, untilMs - performance.now());
      this.#sleepers.add(woken.resolve);
      await woken.promise;
      this.#sleepers.delete(woken.resolve);
      clearTimeout(timer);
    }
  }
}
