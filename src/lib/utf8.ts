/** Where bytes stop being UTF-8 (RFC 3629), at once or piece by piece. Pure. */
import { isUtf8 } from "node:buffer";

/** A byte that does not belong to a character. */
export interface InvalidByte {
  /** Where it stands, counted from 0. */
  readonly offset: number;
  readonly value: number;
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

/**
 * Looks at a text that comes in pieces.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Utf8Scanner } from "./utf8.ts";
 * const scanner = new Utf8Scanner();
 * scanner.push(Uint8Array.of(0xc3));
 * scanner.push(Uint8Array.of(0xa9, 0xff));
 * assert.deepEqual(scanner.end(), { offset: 2, value: 0xff });
 * ```
 */
export class Utf8Scanner {
  #invalid: InvalidByte | null = null;
  /** The beginning of a character whose rest has not come yet; at most three bytes. */
  #begun: Uint8Array = new Uint8Array();
  /** Where it stands. */
  #offset = 0;

  push(piece: Uint8Array): void {
    if (this.#invalid !== null) return;
    let bytes = piece;
    if (this.#begun.length > 0) {
      bytes = new Uint8Array(this.#begun.length + piece.length);
      bytes.set(this.#begun);
      bytes.set(piece, this.#begun.length);
    }
    const whole = bytes.length - begunLength(bytes);
    this.#check(bytes.subarray(0, whole));
    this.#begun = bytes.slice(whole);
    this.#offset += whole;
  }

  /** The first byte that does not belong to a character; null: all do. */
  end(): InvalidByte | null {
    this.#check(this.#begun);
    return this.#invalid;
  }

  #check(bytes: Uint8Array): void {
    if (isUtf8(bytes)) return;
    const index = firstInvalidByte(bytes);
    this.#invalid ??= { offset: this.#offset + index, value: bytes[index]! };
  }
}

/** How many bytes at the end begin a character of which more is to come. */
function begunLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]!;
    if ((byte & 0xc0) === 0x80) continue;
    return announcedLength(byte) > length ? length : 0;
  }
  return 0;
}

/** The length of a character by its first byte; 0 when none begins so. */
function announcedLength(first: number): number {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/** Length of the well-formed character that starts here; 0 when there is none. */
function characterLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index]!;
  const length = announcedLength(first);
  if (length <= 1) return length;
  if (index + length > bytes.length) return 0;
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
