/**
 * Gathers a running attempt's output and sends it on in pieces: soon enough to be followed live,
 * seldom enough to cost little. Invariant: holds at most one piece in memory, whatever is printed.
 */
import type { OutputChunk, OutputStream } from "../job/job.ts";

/** A piece is sent when it has this many bytes, or has waited this long. */
const PIECE_BYTES = 64 * 1024;
const PIECE_WAIT_MS = 200;

export class OutputBuffer {
  readonly #sendOn: (chunks: OutputChunk[]) => void;
  #chunks: OutputChunk[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sendOn: (chunks: OutputChunk[]) => void) {
    this.#sendOn = sendOn;
  }

  write(stream: OutputStream, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push({ stream, bytes });
    this.#bytes += bytes.length;
    if (this.#bytes >= PIECE_BYTES) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), PIECE_WAIT_MS);
  }

  /** What was not sent yet. */
  close(): OutputChunk[] {
    clearTimeout(this.#timer);
    return this.#chunks;
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    this.#sendOn(chunks);
  }
}
