/**
 * Sends on how far an attempt has come, at most so often. Invariant: what was said last is sent, if
 * the attempt does not end first; then its end says more.
 */
import type { Progress } from "../job/job.ts";

/** Each one sent on is a commit. */
const EVERY_MS = 500;

export class ProgressBuffer {
  readonly #sendOn: (progress: Progress) => void;
  #latest: Progress | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sendOn: (progress: Progress) => void) {
    this.#sendOn = sendOn;
  }

  take(progress: Progress): void {
    this.#latest = progress;
    if (this.#timer === undefined) this.#send();
  }

  /** Sends the last, if it has not been sent. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#latest !== null) this.#sendOn(this.#latest);
  }

  #send(): void {
    this.#timer = undefined;
    if (this.#latest === null) return;
    this.#sendOn(this.#latest);
    this.#latest = null;
    this.#timer = setTimeout(() => this.#send(), EVERY_MS);
  }
}
