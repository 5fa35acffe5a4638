/** The kind `count`: the number of characters of a UTF-8 text. */
import { notUtf8 } from "../job/errors.ts";
import { describe } from "../job/parse.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import type { Handler } from "./handler.ts";

/** How much of a file is in memory at a time. */
const PIECE_BYTES = 256 * 1024;

export const count: Handler = {
  /** An upload's bytes, known to be UTF-8, or a JSON string, or nothing beside a file. */
  parsePayload(payload, { input }) {
    if (input != null) {
      if (payload !== null) return { problem: "give either a text to count or a file, not both" };
      if (input.invalidUtf8 !== null) throw notUtf8("the upload", input.invalidUtf8);
      return { payload: new Uint8Array() };
    }
    if (payload instanceof Uint8Array) return { payload };
    if (typeof payload === "string") return { payload: new TextEncoder().encode(payload) };
    return { problem: `expected the text to count as a string, got ${describe(payload)}` };
  },

  /** Counting takes microseconds, unless it was told to pretend to work. */
  chunk: ({ simulatedWorkMs }) => simulatedWorkMs > 0 ? 1 : 256,

  run({ payload, inputPath }, { signal, settings }) {
    const run = () =>
      inputPath === undefined
        ? succeed(countCharacters(payload as Uint8Array))
        : countFile(inputPath, signal).then(succeed);
    if (settings.simulatedWorkMs === 0) return run();
    return pause(settings.simulatedWorkMs, signal).then(run);
  },
};

function succeed(characters: number): AttemptEnd {
  return { type: "succeeded", result: `{"characters":${characters}}` };
}

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

/** Likewise for a file that may be too large for memory. */
async function countFile(path: string, signal: AbortSignal): Promise<number> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(PIECE_BYTES);
  let characters = 0;
  while (true) {
    signal.throwIfAborted();
    const length = await file.read(buffer);
    if (length === null) return characters;
    characters += countCharacters(buffer.subarray(0, length));
  }
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
