/**
 * Reads a child's output to its end and keeps the first part of it. Invariant: the child never
 * blocks on a full pipe, and memory holds one chunk at a time.
 */

const TAIL_BYTES = 512;

export class BoundedReader {
  /** All that was printed, the dropped part included. */
  totalBytes = 0;
  /** The end of what was printed, at most {@link TAIL_BYTES} of it. */
  tail = new Uint8Array();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #done: Promise<void>;

  constructor(
    stream: ReadableStream<Uint8Array>,
    options: { limitBytes: number; keep: (bytes: Uint8Array) => void },
  ) {
    this.#reader = stream.getReader();
    this.#done = this.#readAll(options);
  }

  /**
   * Waits for the end of the stream, at most so long: a process that escaped from its group may
   * hold the pipe open for ever.
   */
  async finish(patienceMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patienceMs);
    });
    const outcome = await Promise.race([this.#done, patience]);
    clearTimeout(timer);
    if (outcome === "late") await this.#reader.cancel().catch(() => {});
  }

  async #readAll(
    { limitBytes, keep }: { limitBytes: number; keep: (bytes: Uint8Array) => void },
  ): Promise<void> {
    try {
      while (true) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        const room = limitBytes - this.totalBytes;
        this.totalBytes += value.length;
        this.#remember(value);
        if (room > 0) keep(value.length <= room ? value : value.slice(0, room));
      }
    } catch { /* cancelled, or the pipe broke with its process: what was read counts */ }
  }

  #remember(bytes: Uint8Array): void {
    if (bytes.length >= TAIL_BYTES) {
      this.tail = bytes.slice(-TAIL_BYTES);
      return;
    }
    const joined = new Uint8Array(this.tail.length + bytes.length);
    joined.set(this.tail);
    joined.set(bytes, this.tail.length);
    this.tail = joined.slice(-TAIL_BYTES);
  }
}
