/**
 * Reads. Those of one turn of the event loop share a read transaction: to take SQLite's locks and to
 * give them back costs more than to find a row (measured: 2.4 of 3.8 microseconds). Owns that
 * transaction and the patience with locks; knows no table.
 *
 * Invariant: no read transaction outlives its turn, and none is open while something is written.
 */
import { setImmediate } from "node:timers";
import { pause } from "../../lib/pause.ts";
import { asStoreError, type Connection, isBusy, type Statement } from "./connection.ts";
import type { FileGuard } from "./file_guard.ts";

/** How long reads wait out the rare lock: recovery after a crash, the last process closing. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 5;

export class Reader {
  readonly #path: string;
  readonly #file: FileGuard;
  readonly #begin: Statement;
  readonly #commit: Statement;
  #isOpen = false;

  constructor(connection: Connection, path: string, file: FileGuard) {
    this.#path = path;
    this.#file = file;
    this.#begin = connection.prepare("BEGIN");
    this.#commit = connection.prepare("COMMIT");
  }

  /** Does the work, which only reads, at once; later only while the database is locked. */
  async read<T>(work: () => T): Promise<T> {
    let deadlineMs: number | undefined;
    while (true) {
      try {
        this.#open();
        return work();
      } catch (error) {
        this.end();
        this.#file.note(error);
        if (!isBusy(error)) throw asStoreError(error, this.#path);
        deadlineMs ??= performance.now() + PATIENCE_MS;
        if (performance.now() > deadlineMs) throw asStoreError(error, this.#path);
        await pause(PAUSE_MS);
      }
    }
  }

  /** Ends what the reads of this turn share: before something is written, and before closing. */
  readonly end = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#commit.run();
    } catch { /* SQLite has ended it by itself, because of an error that was met and told */ }
  };

  #open(): void {
    if (this.#isOpen) return;
    this.#begin.run();
    this.#isOpen = true;
    setImmediate(this.end);
  }
}
