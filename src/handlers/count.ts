/** The kind `count`: the number of characters of a UTF-8 text. */
import { describe } from "../job/parse.ts";
import type { Handler } from "./handler.ts";

export const count: Handler = {
  /** An upload's bytes, known to be UTF-8, or a JSON string. */
  parsePayload(payload) {
    if (payload instanceof Uint8Array) return { payload };
    if (typeof payload === "string") return { payload: new TextEncoder().encode(payload) };
    return { problem: `expected the text to count as a string, got ${describe(payload)}` };
  },

  /** Counting takes microseconds, unless it was told to pretend to work. */
  chunk: ({ simulatedWorkMs }) => simulatedWorkMs > 0 ? 1 : 256,

  run({ payload }, { signal, settings }) {
    const succeed = () => {
      const characters = countCharacters(payload as Uint8Array);
      return { type: "succeeded", result: `{"characters":${characters}}` } as const;
    };
    if (settings.simulatedWorkMs === 0) return succeed();
    return pause(settings.simulatedWorkMs, signal).then(succeed);
  },
};

/**
 * Unicode code points in valid UTF-8: the bytes that do not continue a character (10xxxxxx; RFC
 * 3629, section 3). The same number as Python's `len`; a byte-order mark counts.
 */
export function countCharacters(utf8: Uint8Array): number {
  let characters = 0;
  for (let index = 0; index < utf8.length; index++) {
    if ((utf8[index]! & 0xc0) !== 0x80) characters++;
  }
  return characters;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
