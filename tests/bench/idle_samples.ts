/** Submitting to an idle queue, again and again: how the samples are taken on both sides. */
import { pause } from "../../src/lib/pause.ts";
import { percentile } from "./numbers.ts";

/** Long enough for everything to come to rest. */
const PAUSE_MS = 10;

/** Samples that are thrown away: they compile the code. */
const WARMUP = 20;

/** How long the last job may take to start. */
const LAST_START_MS = 5_000;

export interface IdleOptions {
  readonly directory: string;
  /** Instead of a file in the directory; only for queuectl. */
  readonly db?: string;
  readonly samples: number;
}

export type IdleFigures = { readonly p50Ms: number; readonly p99Ms: number };

/** Takes samples with a pause before each. */
export async function sampleIdle(
  samples: number,
  take: () => number | Promise<number>,
): Promise<IdleFigures> {
  const found: number[] = [];
  for (let index = 0; index < samples + WARMUP; index++) {
    await pause(PAUSE_MS);
    const ms = await take();
    if (index >= WARMUP) found.push(ms);
  }
  return { p50Ms: percentile(found, 0.5), p99Ms: percentile(found, 0.99) };
}

/** Adds with a pause before each; prints when each was begun, in milliseconds since 1970. */
export async function addWithPauses(
  samples: number,
  add: () => Promise<void> | void,
): Promise<void> {
  const addedAtMs: number[] = [];
  for (let index = 0; index < samples + WARMUP; index++) {
    await pause(PAUSE_MS);
    addedAtMs.push(wallMs());
    await add();
  }
  console.log(JSON.stringify(addedAtMs));
}

/** What lies between the moments at which one process added and this one started. */
export async function figuresBetween(
  addedAtMs: readonly number[],
  startedAtMs: readonly number[],
): Promise<IdleFigures> {
  const deadlineMs = performance.now() + LAST_START_MS;
  while (startedAtMs.length < addedAtMs.length) {
    if (performance.now() > deadlineMs) {
      throw new Error(`${addedAtMs.length} jobs were added, ${startedAtMs.length} started`);
    }
    await pause(PAUSE_MS);
  }
  const found = addedAtMs.map((atMs, index) => startedAtMs[index]! - atMs).slice(WARMUP);
  return { p50Ms: percentile(found, 0.5), p99Ms: percentile(found, 0.99) };
}

/** A clock that processes share and that shows fractions of a millisecond. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
