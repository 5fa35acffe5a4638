/** Where bytes stop being UTF-8, and text from bytes that must be UTF-8. Pure. */
import { isUtf8 } from "node:buffer";
import { MalformedInputError } from "../job/errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The text that the bytes spell, without a byte-order mark.
 *
 * @throws {MalformedInputError} naming `what` and the first offending byte.
 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw notUtf8(bytes, what);
  }
}

/** Throws {@link MalformedInputError} unless the bytes are UTF-8. */
export function assertUtf8(bytes: Uint8Array, what: string): void {
  if (!isUtf8(bytes)) throw notUtf8(bytes, what);
}

/**
 * Offset of the first byte that is not part of a well-formed character (RFC 3629, section 4), or
 * -1. For a character cut off by the end of the bytes, the offset of its first byte.
 */
export function firstInvalidByte(bytes: Uint8Array): number {
  let index = 0;
  while (index < bytes.length) {
    const length = characterLength(bytes, index);
    if (length === 0) return index;
    index += length;
  }
  return -1;
}

/** Length of the well-formed character that starts here; 0 when there is none. */
function characterLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index]!;
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf
    ? 2
    : first >= 0xe0 && first <= 0xef
    ? 3
    : first >= 0xf0 && first <= 0xf4
    ? 4
    : 0;
  if (length === 0 || index + length > bytes.length) return 0;
  // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
  const second = bytes[index + 1]!;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let next = index + 2; next < index + length; next++) {
    if ((bytes[next]! & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function notUtf8(bytes: Uint8Array, what: string): MalformedInputError {
  const offset = firstInvalidByte(bytes);
  const found = `0x${bytes[offset]!.toString(16).padStart(2, "0")}`;
  return new MalformedInputError(
    `${what} is not UTF-8 text: byte ${offset} (${found}) does not belong to a character`,
  );
}
