/**
 * How many requests each caller may make: a bucket that holds the requests of one second and fills
 * up at the rate of the limit. Pure arithmetic; time is an argument.
 */

/** More callers than an honest set of clients has; beyond it, the oldest starts anew. */
const MOST_BUCKETS = 10_000;

interface Bucket {
  /** Requests that may be made at once, as of `atMs`. */
  level: number;
  atMs: number;
}

export class RateLimiter {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** 0 when the caller may make a request now, else how long until the next one, in ms. */
  waitMs(caller: string, nowMs: number): number {
    let bucket = this.#buckets.get(caller);
    if (bucket === undefined) {
      if (this.#buckets.size >= MOST_BUCKETS) {
        this.#buckets.delete(this.#buckets.keys().next().value!);
      }
      this.#buckets.set(caller, bucket = { level: this.#perSecond, atMs: nowMs });
    }
    const gained = Math.max(0, nowMs - bucket.atMs) / 1_000 * this.#perSecond;
    bucket.level = Math.min(this.#perSecond, bucket.level + gained);
    bucket.atMs = nowMs;
    if (bucket.level < 1) return (1 - bucket.level) / this.#perSecond * 1_000;
    bucket.level--;
    return 0;
  }
}
