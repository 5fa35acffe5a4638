/** How fast the disk is at the moment: tells whether the peers of a run met the same machine. */
import { join } from "node:path";

const PROBE_MS = 150;
const PAGE = new Uint8Array(4_096).fill(65);

/** Appends of a page, each made durable, a second. */
export function fsyncsPerSecond(directory: string): number {
  const path = join(directory, "probe");
  using file = Deno.openSync(path, { write: true, create: true });
  let count = 0;
  const beganMs = performance.now();
  while (performance.now() - beganMs < PROBE_MS) {
    file.writeSync(PAGE);
    file.syncDataSync();
    count++;
  }
  const perSecond = count / (performance.now() - beganMs) * 1_000;
  Deno.removeSync(path);
  return perSecond;
}
