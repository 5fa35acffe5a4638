/**
 * Keeps what one attempt prints up to the limit of each stream, says where it was cut, and remembers
 * its last words. Invariant: at most the limit goes on, whatever comes.
 */
import type { OutputStream } from "../job/job.ts";

const TAIL_BYTES = 512;

export class OutputKeeper {
  readonly #limitBytes: number;
  readonly #write: (stream: OutputStream, bytes: Uint8Array) => void;
  /** All that was printed, the dropped part included. */
  readonly totalBytes: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  #tail = new Uint8Array();

  constructor(
    options: {
      limitBytes: number;
      write: (stream: OutputStream, bytes: Uint8Array) => void;
    },
  ) {
    this.#limitBytes = options.limitBytes;
    this.#write = options.write;
  }

  /** The bytes must not be used by the caller any more. */
  take(stream: OutputStream, bytes: Uint8Array): void {
    const room = this.#limitBytes - this.totalBytes[stream];
    this.totalBytes[stream] += bytes.length;
    if (stream === "stderr") this.#remember(bytes);
    if (room <= 0) return;
    this.#write(stream, bytes.length <= room ? bytes : bytes.slice(0, room));
    if (bytes.length > room) this.#write(stream, encoder.encode(CUT));
  }

  /** The last line on stderr that is not empty, at most 200 characters of it. */
  get lastWords(): string {
    const lines = new TextDecoder().decode(this.#tail).split("\n").map((line) => line.trim());
    return lines.findLast((line) => line !== "")?.slice(0, 200) ?? "";
  }

  #remember(bytes: Uint8Array): void {
    const end = bytes.slice(-TAIL_BYTES);
    const joined = new Uint8Array(this.#tail.length + end.length);
    joined.set(this.#tail);
    joined.set(end, this.#tail.length);
    this.#tail = joined.slice(-TAIL_BYTES);
  }
}

const encoder = new TextEncoder();
const CUT = "\n[the rest is over the output-limit and was dropped]\n";
