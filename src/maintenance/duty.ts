/**
 * What a process does again and again besides running jobs: what all duties have in common, and the
 * kind that is done at intervals. Knows none of them.
 */

export interface Duty {
  start(): void;
  /** Does it now, after a run that is under way. */
  runOnce(): Promise<void>;
  /** Resolves when no run is under way and none will follow. */
  stop(): Promise<void>;
}

export interface PeriodicOptions {
  readonly everyMs: number;
  /** After a run that has thrown the next one comes so soon, if that is sooner. */
  readonly retryMs?: number;
  /** Gets what a run throws. */
  readonly onError: (error: unknown) => void;
  /** Whether the first run comes with the start, and not an interval later. */
  readonly isDoneAtStart?: boolean;
}

/** One run at a time, never overlapping; the interval counts from the end of a run. */
export class PeriodicDuty implements Duty {
  readonly #work: () => Promise<void>;
  readonly #options: PeriodicOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;
  #hasFailed = false;

  constructor(work: () => Promise<void>, options: PeriodicOptions) {
    this.#work = work;
    this.#options = options;
  }

  start(): void {
    this.#isStopped = false;
    if (this.#options.isDoneAtStart) this.runOnce();
    this.#schedule();
  }

  runOnce(): Promise<void> {
    this.#running = this.#running.then(async () => {
      try {
        await this.#work();
        this.#hasFailed = false;
      } catch (error) {
        this.#hasFailed = true;
        this.#options.onError(error);
      }
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    const { everyMs, retryMs = everyMs } = this.#options;
    this.#timer = setTimeout(async () => {
      await this.runOnce();
      if (!this.#isStopped) this.#schedule();
    }, this.#hasFailed ? Math.min(retryMs, everyMs) : everyMs);
  }
}
