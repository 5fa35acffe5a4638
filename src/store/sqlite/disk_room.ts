/**
 * Keeps large files from using up the disk: the last of it is for the jobs themselves, without which
 * the queue could neither take work nor finish it. Knows the disk; knows no file.
 */
import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StoreUnavailableError } from "../../job/errors.ts";

/** What is left to the jobs: the WAL at its usual largest, and some of them. */
const RESERVE_BYTES = 64 * 1024 * 1024;

export class DiskRoom {
  readonly #directory: string;
  #isUnknown = false;

  constructor(path: string) {
    this.#directory = dirname(resolve(path));
  }

  /**
   * Throws {@link StoreUnavailableError} when so many more bytes would leave too little room. Where
   * the room cannot be known, there is enough.
   */
  assertRoomFor(bytes: number): void {
    const free = this.#freeBytes();
    if (free === null || free >= bytes + RESERVE_BYTES) return;
    throw new StoreUnavailableError(
      `the disk is too full for the file: ${toMiB(free)} MiB are free, of which ` +
        `${toMiB(RESERVE_BYTES)} MiB are kept for the queue itself`,
    );
  }

  #freeBytes(): number | null {
    if (this.#isUnknown) return null;
    try {
      const { bavail, bsize } = statfsSync(this.#directory);
      return Number(bavail) * Number(bsize);
    } catch {
      this.#isUnknown = true; // not permitted to ask, or nothing that can be asked
      return null;
    }
  }
}

function toMiB(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}
