/**
 * Request bodies that are too large for memory: handed on as they come, no faster than they are
 * taken. Owns the limits of size, time and number; knows no content type.
 *
 * Invariant: whoever reads to the end has read all that was announced, and within the limit.
 */
import { announcedBytes, cutOff, discard, tooLarge } from "./body_wire.ts";
import { RequestError } from "./problem.ts";

export interface BodyStreamOptions {
  /** Without a new byte for this long, a body is given up. */
  readonly stallMs: number;
  /** The slowest average that is put up with, once it was waited for longer than `stallMs`. */
  readonly leastBytesPerS: number;
  /** How many may come at once; further ones are refused. */
  readonly most: number;
}

/** A body that is coming. Only waiting for its sender counts: the disk may be slow, too. */
interface Coming {
  bytes: number;
  waitedMs: number;
  /** By `performance.now()`; null: its bytes are being taken. */
  waitsSinceMs: number | null;
  /** What ended it from outside. */
  end: RequestError | null;
  giveUp: (error: RequestError) => void;
}

export class BodyStreams {
  readonly #options: BodyStreamOptions;
  readonly #coming = new Set<Coming>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #isClosed = false;

  constructor(options: BodyStreamOptions) {
    this.#options = options;
  }

  /**
   * The body's bytes, piece by piece.
   *
   * @throws {TooLargeError} for more than `limitBytes`: without reading when the length was
   * announced, else as soon as the limit is passed.
   * @throws {RequestError} when the body stalls or there are too many. {@link MalformedInputError}
   * when it is cut off.
   */
  async *read(request: Request, limitBytes: number): AsyncGenerator<Uint8Array> {
    const announced = announcedBytes(request.headers);
    if (announced !== null && announced > limitBytes) {
      throw tooLarge(limitBytes, `${announced} bytes were announced`);
    }
    if (this.#isClosed) throw draining();
    if (this.#coming.size >= this.#options.most) {
      const detail = `${this.#options.most} large uploads are under way; try again later`;
      throw new RequestError("overloaded", detail);
    }
    if (request.body === null) return;
    const reader = request.body.getReader();
    const coming = this.#watch();
    let isOver = false;
    try {
      while (true) {
        const piece = await this.#next(reader, coming);
        if (piece === null) break;
        coming.bytes += piece.length;
        if (coming.bytes > limitBytes) throw tooLarge(limitBytes, "more came");
        yield piece;
      }
      isOver = true;
      if (announced !== null && coming.bytes !== announced) {
        throw cutOff(`after ${coming.bytes} of ${announced} bytes`);
      }
    } finally {
      this.#forget(coming);
      if (!isOver) {
        const discarded = discard(reader, announced);
        if (coming.end === null) await discarded;
      }
    }
  }

  /** Gives up every body that is still coming. */
  close(): void {
    this.#isClosed = true;
    for (const coming of this.#coming) this.#end(coming, draining());
  }

  /** The next piece; null: that was all. */
  async #next(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    coming: Coming,
  ): Promise<Uint8Array | null> {
    if (coming.end !== null) throw coming.end;
    const sinceMs = coming.waitsSinceMs = performance.now();
    try {
      const result = await new Promise<ReadableStreamReadResult<Uint8Array>>((resolve, reject) => {
        coming.giveUp = reject;
        reader.read().then(resolve, () => reject(cutOff("before it was complete")));
      });
      return result.done ? null : result.value;
    } finally {
      coming.waitedMs += performance.now() - sinceMs;
      coming.waitsSinceMs = null;
    }
  }

  #watch(): Coming {
    const coming = { bytes: 0, waitedMs: 0, waitsSinceMs: null, end: null, giveUp: () => {} };
    this.#coming.add(coming);
    const everyMs = Math.min(1_000, this.#options.stallMs / 4);
    this.#timer ??= setInterval(() => this.#giveUpStalled(performance.now()), everyMs);
    return coming;
  }

  #forget(coming: Coming): void {
    this.#coming.delete(coming);
    if (this.#coming.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #giveUpStalled(nowMs: number): void {
    const { stallMs, leastBytesPerS } = this.#options;
    for (const coming of this.#coming) {
      if (coming.waitsSinceMs === null) continue;
      const waitsMs = nowMs - coming.waitsSinceMs;
      const budgetMs = stallMs + coming.bytes / leastBytesPerS * 1_000;
      if (waitsMs <= stallMs && coming.waitedMs + waitsMs <= budgetMs) continue;
      const limit = `${stallMs / 1_000} s, or less than ${leastBytesPerS} bytes a second`;
      const detail = `the body was given up: nothing came for ${limit}`;
      this.#end(coming, new RequestError("request-timeout", detail, { connection: "close" }));
    }
  }

  #end(coming: Coming, error: RequestError): void {
    coming.end = error;
    coming.giveUp(error);
  }
}

function draining(): RequestError {
  return new RequestError("draining", "the server is shutting down", { connection: "close" });
}
