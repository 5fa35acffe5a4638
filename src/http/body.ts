/**
 * Reads request bodies into memory within limits of size and time. Owns those limits; knows no
 * content type.
 *
 * Invariant: never holds more than the limit, of one body and of all together, and never returns a
 * body that is shorter than the sender announced.
 */
import { TooLargeError } from "../job/errors.ts";
import { announcedBytes, cutOff, discard, tooLarge } from "./body_wire.ts";
import { RequestError } from "./problem.ts";
import { joinBytes } from "../lib/bytes.ts";

/** A body that is not larger than this comes in one piece, which is faster than in many. */
const WHOLE_BYTES = 256 * 1024;

export interface BodyReaderOptions {
  /** Without a new byte for this long, a body is given up. */
  readonly stallMs: number;
  /** The slowest average that is put up with, once a body takes longer than `stallMs`. */
  readonly leastBytesPerS: number;
  /** How much all bodies together may take; beyond it, the one begun first is given up. */
  readonly mostBytes: number;
}

/** A body that is being read. */
interface Reading {
  readonly startedAtMs: number;
  progressAtMs: number;
  bytes: number;
  giveUp(error: RequestError): void;
}

export class BodyReader {
  readonly #options: BodyReaderOptions;
  /** In the order in which they were begun. */
  readonly #readings = new Set<Reading>();
  /** What they hold together. */
  #bytes = 0;
  /** One timer for all bodies: a timer for each would cost more than reading a small one. */
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: BodyReaderOptions) {
    this.#options = options;
  }

  /**
   * The body's bytes.
   *
   * @throws {TooLargeError} for more than `limitBytes`: without reading when the length was
   * announced, else as soon as the limit is passed.
   * @throws {RequestError} when the body stalls. {@link MalformedInputError} when it is cut off.
   */
  read(request: Request, limitBytes: number): Promise<Uint8Array> {
    const announced = announcedBytes(request.headers);
    if (announced !== null && announced > limitBytes) {
      return Promise.reject(tooLarge(limitBytes, `${announced} bytes were announced`));
    }
    if (announced === 0) return Promise.resolve(new Uint8Array());
    return new Promise((resolve, reject) => {
      const nowMs = performance.now();
      const reading: Reading = {
        startedAtMs: nowMs,
        progressAtMs: nowMs,
        bytes: 0,
        giveUp: reject,
      };
      this.#watch(reading);
      const bytes = announced !== null && announced <= WHOLE_BYTES
        ? this.#readWhole(request, announced, reading)
        : this.#readPieces(request, limitBytes, reading);
      bytes.then((body) => {
        this.#forget(reading);
        if (announced === null || body.length === announced) resolve(body);
        else reject(cutOff(`after ${body.length} of ${announced} bytes`));
      }, (error) => {
        this.#forget(reading);
        reject(error instanceof TooLargeError ? error : cutOff("before it was complete"));
      });
    });
  }

  /** Gives up every body that is still being read. */
  close(): void {
    for (const { giveUp } of this.#readings) {
      giveUp(new RequestError("draining", "the server is shutting down", { connection: "close" }));
    }
    this.#readings.clear();
    this.#bytes = 0;
    this.#stopWatching();
  }

  async #readWhole(request: Request, announced: number, reading: Reading): Promise<Uint8Array> {
    this.#hold(reading, announced);
    return new Uint8Array(await request.arrayBuffer());
  }

  async #readPieces(request: Request, limitBytes: number, reading: Reading): Promise<Uint8Array> {
    if (request.body === null) return new Uint8Array();
    const reader = request.body.getReader();
    const pieces: Uint8Array[] = [];
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!this.#readings.has(reading)) {
        void discard(reader, null);
        throw cutOff("because it was given up");
      }
      reading.progressAtMs = performance.now();
      this.#hold(reading, value.length);
      if (reading.bytes > limitBytes) {
        await discard(reader, announcedBytes(request.headers));
        throw tooLarge(limitBytes, "more came");
      }
      pieces.push(value);
    }
    return joinBytes(pieces);
  }

  /**
   * Counts what a body takes. When it is too much, those that have taken longest make room: bodies
   * that are sent slowly on purpose are among them, and cannot keep out the others.
   */
  #hold(reading: Reading, bytes: number): void {
    reading.bytes += bytes;
    this.#bytes += bytes;
    for (const oldest of this.#readings) {
      if (this.#bytes <= this.#options.mostBytes) return;
      this.#forget(oldest);
      const detail = "the bodies of all requests together are too large now; try again later";
      oldest.giveUp(new RequestError("overloaded", detail, { connection: "close" }));
    }
  }

  #forget(reading: Reading): void {
    if (this.#readings.delete(reading)) this.#bytes -= reading.bytes;
  }

  #stopWatching(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #watch(reading: Reading): void {
    this.#readings.add(reading);
    const everyMs = Math.min(1_000, this.#options.stallMs / 4);
    this.#timer ??= setInterval(() => this.#giveUpStalled(performance.now()), everyMs);
  }

  #giveUpStalled(nowMs: number): void {
    if (this.#readings.size === 0) return this.#stopWatching();
    const { stallMs, leastBytesPerS } = this.#options;
    for (const reading of this.#readings) {
      const budgetMs = stallMs + reading.bytes / leastBytesPerS * 1_000;
      const isStalled = nowMs - reading.progressAtMs > stallMs ||
        nowMs - reading.startedAtMs > budgetMs;
      if (!isStalled) continue;
      this.#forget(reading);
      const limit = `${stallMs / 1_000} s, or less than ${leastBytesPerS} bytes a second`;
      const detail = `the body was given up: nothing came for ${limit}`;
      // The rest of the body, should it come, must not be taken for the next request.
      reading.giveUp(new RequestError("request-timeout", detail, { connection: "close" }));
    }
  }
}
