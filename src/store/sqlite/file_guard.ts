/**
 * Notices that the database file was deleted or replaced while it is open. SQLite would go on
 * writing into the file that nobody can find any more, and acknowledge jobs that are lost.
 */
import { StoreUnavailableError } from "../../job/errors.ts";

/** Looking costs a system call, so it is done at most so often. */
const LOOK_EVERY_MS = 500;

export class FileGuard {
  readonly #path: string;
  readonly #opened: string | null;
  #lookedAtMs = -Infinity;
  #problem: StoreUnavailableError | null = null;

  constructor(path: string) {
    this.#path = path;
    this.#opened = identify(path);
  }

  /** What is wrong with the file; null: nothing. It may come right again. */
  problem(): StoreUnavailableError | null {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return this.#problem;
    this.#lookedAtMs = nowMs;
    const found = identify(this.#path);
    this.#problem = found === this.#opened ? null : new StoreUnavailableError(
      `the database ${this.#path} was ${found === null ? "deleted" : "replaced"} while it was ` +
        "in use; put it back, or restart queuectl to use the new one",
    );
    return this.#problem;
  }
}

function identify(path: string): string | null {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
