/** A signal that aborts with another one, or when a time is over. */

export class TimeLimit implements Disposable {
  /** Whether it was the time that aborted it. */
  isOver = false;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param limitMs null: no time of its own. */
  constructor(outer: AbortSignal, limitMs: number | null) {
    this.#outer = outer;
    if (outer.aborted) this.#onAbort();
    outer.addEventListener("abort", this.#onAbort);
    if (limitMs === null) return;
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#controller.abort(this.#outer.reason);
}
