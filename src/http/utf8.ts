/** Text from bytes that must be UTF-8, or a message that says where they are not. */
import { isUtf8 } from "node:buffer";
import { MalformedInputError, notUtf8 } from "../job/errors.ts";
import { firstInvalidByte } from "../lib/utf8.ts";

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
    throw invalid(bytes, what);
  }
}

/** Throws {@link MalformedInputError} unless the bytes are UTF-8. */
export function assertUtf8(bytes: Uint8Array, what: string): void {
  if (!isUtf8(bytes)) throw invalid(bytes, what);
}

function invalid(bytes: Uint8Array, what: string): MalformedInputError {
  const offset = firstInvalidByte(bytes);
  return notUtf8(what, { offset, value: bytes[offset]! });
}
