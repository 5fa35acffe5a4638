/** Something that is done at once and then again and again: one run at a time, never overlapping. */
export class Duty {
  readonly #work: () => Promise<void>;
  readonly #everyMs: number;
  readonly #onError: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(
    work: () => Promise<void>,
    { everyMs, onError }: { everyMs: number; onError: (error: unknown) => void },
  ) {
    this.#work = work;
    this.#everyMs = everyMs;
    this.#onError = onError;
  }

  start(): void {
    this.#isStopped = false;
    this.#schedule();
  }

  /** Runs it now, after a run that is under way. Errors go to `onError`. */
  runOnce(): Promise<void> {
    this.#running = this.#running.then(this.#work).catch(this.#onError);
    return this.#running;
  }

  /** Resolves when no run is under way and none will follow. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.runOnce();
      if (!this.#isStopped) this.#schedule();
    }, this.#everyMs);
  }
}
