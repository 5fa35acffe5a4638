/** How much room the disk of the database has. */
import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";

export interface DiskRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Null where it cannot be known: not permitted to ask, or nothing that can be asked. */
export function diskRoom(db: string): DiskRoom | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(dirname(resolve(db)));
    return {
      freeBytes: Number(bavail) * Number(bsize),
      totalBytes: Number(blocks) * Number(bsize),
    };
  } catch {
    return null;
  }
}

const SCARCE_BYTES = 256 * 2 ** 20;
const SCARCE_SHARE = 0.03;

/** Whether there is so little left that somebody should make room: a full disk takes no jobs. */
export function isScarce({ freeBytes, totalBytes }: DiskRoom): boolean {
  return freeBytes < SCARCE_BYTES ||
    (freeBytes < SCARCE_SHARE * totalBytes && freeBytes < 16 * SCARCE_BYTES);
}
