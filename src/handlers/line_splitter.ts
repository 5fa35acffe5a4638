/**
 * Cuts a stream of bytes into lines of text. Invariant: holds at most one line, and no more of it
 * than the limit, whatever is printed.
 */
import { joinBytes } from "../lib/bytes.ts";

/** A line, or the news that one was longer than the limit, which is told once and then ends. */
export type Line = { readonly text: string } | { readonly tooLong: true };

const NEWLINE = 10;

export class LineSplitter {
  readonly #limitBytes: number;
  readonly #onLine: (line: Line) => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(options: { limitBytes: number; onLine: (line: Line) => void }) {
    this.#limitBytes = options.limitBytes;
    this.#onLine = options.onLine;
  }

  /** Takes the next piece; calls back for every line that it completes. */
  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (!this.#isOver) {
      const end = rest.indexOf(NEWLINE);
      const part = end === -1 ? rest : rest.subarray(0, end);
      if (this.#bytes + part.length > this.#limitBytes) {
        this.#isOver = true;
        this.#parts = [];
        this.#onLine({ tooLong: true });
        return;
      }
      if (part.length > 0) this.#parts.push(part);
      this.#bytes += part.length;
      if (end === -1) return;
      this.#emit();
      rest = rest.subarray(end + 1);
    }
  }

  /** The stream is over: what has no newline at its end counts as a line too. */
  end(): void {
    if (!this.#isOver) this.#emit();
    this.#isOver = true;
  }

  #emit(): void {
    const parts = this.#parts;
    this.#parts = [];
    const bytes = joinBytes(parts);
    this.#bytes = 0;
    const text = new TextDecoder().decode(bytes).trim();
    // Empty lines say nothing: programs print them for looks.
    if (text !== "") this.#onLine({ text });
  }
}
