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
    this.#running = this.#running.then(this.#work).catch(this.#options.onError);
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.runOnce();
      if (!this.#isStopped) this.#schedule();
    }, this.#options.everyMs);
  }
}
