/**
 * Waiting for something to become true. Owns polling and the message on giving up; knows nothing of
 * what is waited for. The only way in which tests wait: never a sleep for luck.
 */
import { messageOf } from "../../src/lib/error_message.ts";
import { pause } from "../../src/lib/pause.ts";

export interface EventuallyOptions {
  /** What is waited for, as the end of the sentence "it never happened that ...". */
  readonly what: string;
  /** How long to wait; half a minute unless said otherwise: for machines with much else to do. */
  readonly timeoutMs?: number;
  /** The pause between two looks; 10 ms unless said otherwise. */
  readonly everyMs?: number;
}

/**
 * The first truthy value that the condition returns. A condition that throws counts as "not yet":
 * servers that are still starting refuse connections.
 *
 * @throws {Error} at the deadline, saying what never happened and what was seen last.
 *
 * @example
 * ```ts
 * import { eventually } from "./eventually.ts";
 * let isDone = false;
 * setTimeout(() => isDone = true, 20);
 * await eventually(() => isDone, { what: "the timer fired" });
 * ```
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 30_000, everyMs = 10 }: EventuallyOptions,
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  let last = "nothing";
  while (true) {
    try {
      const value = await condition();
      if (value) return value;
      last = describe(value);
    } catch (error) {
      last = `an error: ${messageOf(error)}`;
    }
    if (performance.now() >= deadlineMs) {
      throw new Error(
        `it never happened that ${what}; waited ${timeoutMs} ms, last seen was ${last}`,
      );
    }
    await pause(everyMs);
  }
}

function describe(value: unknown): string {
  return value === "" ? "an empty text" : String(value);
}
