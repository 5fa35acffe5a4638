/**
 * The frame of a `multipart/form-data` body (RFC 7578; RFC 2046, section 5.1.1): its delimiter and
 * the headers of its parts. Owns the grammar and its limits, so that bodies that come whole and
 * bodies that come in pieces are read by the same rules; holds no body.
 */
import { MalformedInputError } from "../job/errors.ts";

/** What the header of a part says. */
export interface PartHeader {
  readonly name: string;
  readonly filename: string | null;
  /** The declared content type, as it came. */
  readonly mediaType: string | null;
}

export const LIMIT = {
  /** Parts of a body. */
  parts: 64,
  headerLines: 16,
  headerBytes: 8 * 1024,
  /** Spaces and tabs after a delimiter. */
  paddingBytes: 256,
} as const;

const CR = 13;
const LF = 10;
const DASH = 45;
const SPACE = 32;
const TAB = 9;

const encoder = new TextEncoder();
const headerDecoder = new TextDecoder();

/**
 * What follows the characters of a delimiter: more parts, nothing more, something that makes them
 * content, or the end of the bytes, so that only further ones could tell.
 */
export type DelimiterEnd =
  /** `start`: where the header of the next part starts. */
  | { readonly type: "next"; readonly start: number }
  | { readonly type: "last" | "none" | "cut" };

const NONE: DelimiterEnd = { type: "none" };
const CUT: DelimiterEnd = { type: "cut" };
const LAST: DelimiterEnd = { type: "last" };

/** The line that separates parts, with the line break before it. */
export class Delimiter {
  /** As people see it. */
  readonly text: string;
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #skips: Uint8Array;

  /** @throws {MalformedInputError} when the content type names no usable boundary. */
  constructor(contentType: string) {
    const boundary = boundaryOf(contentType);
    this.text = `--${boundary}`;
    this.#bytes = encoder.encode(`\r\n--${boundary}`);
    this.length = this.#bytes.length;
    this.#skips = skipTable(this.#bytes);
  }

  /**
   * Where the next one starts; -1: nowhere. A longer line that merely begins like one is content.
   * One whose line is cut off by the end of the bytes is found, too.
   */
  find(bytes: Uint8Array, from: number): number {
    // Horspool's search: looks at the last byte first and mostly skips the delimiter's whole length.
    const last = this.length - 1;
    const lastByte = this.#bytes[last]!;
    let end = from + last;
    while (end < bytes.length) {
      const byte = bytes[end]!;
      if (
        byte === lastByte && isAt(bytes, this.#bytes, end - last) &&
        this.endAt(bytes, end - last).type !== "none"
      ) return end - last;
      end += this.#skips[byte]!;
    }
    return -1;
  }

  /** Whether the bytes begin with it. At the start of a body it needs no line break before it. */
  isFirst(bytes: Uint8Array): boolean {
    const bare = this.#bytes.subarray(2);
    return isAt(bytes, bare, 0) && this.endAt(bytes, -2).type !== "none";
  }

  /** What follows the one that starts there. */
  endAt(bytes: Uint8Array, start: number): DelimiterEnd {
    const position = start + this.length;
    if (bytes[position] === DASH) {
      if (position + 1 === bytes.length) return CUT;
      return bytes[position + 1] === DASH ? LAST : NONE;
    }
    let index = position;
    const most = position + LIMIT.paddingBytes;
    while (index < most && (bytes[index] === SPACE || bytes[index] === TAB)) index++;
    if (index >= bytes.length) return CUT;
    if (bytes[index] !== CR) return NONE;
    if (index + 1 === bytes.length) return CUT;
    return bytes[index + 1] === LF ? { type: "next", start: index + 2 } : NONE;
  }
}

/**
 * Where the empty line starts that ends the part's header; -1: not before the end of the bytes, nor
 * of what a header may take.
 */
export function findHeaderEnd(bytes: Uint8Array, start: number): number {
  const most = Math.min(bytes.length, start + LIMIT.headerBytes);
  for (let index = bytes.indexOf(CR, start); index !== -1 && index + 3 < most;) {
    if (bytes[index + 1] === LF && bytes[index + 2] === CR && bytes[index + 3] === LF) return index;
    index = bytes.indexOf(CR, index + 1);
  }
  return -1;
}

/**
 * What a part's header says. `offset`: where it stands in the body.
 *
 * @throws {MalformedInputError}
 */
export function parsePartHeader(header: Uint8Array, offset: number): PartHeader {
  const lines = headerDecoder.decode(header).split("\r\n");
  if (lines.length > LIMIT.headerLines) {
    throw malformed(`a part has more than ${LIMIT.headerLines} header lines`, offset);
  }
  let disposition: string | null = null;
  let mediaType: string | null = null;
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw malformed(`${JSON.stringify(line)} is no header line of a part`, offset);
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "content-disposition") disposition = value;
    if (name === "content-type" && value !== "") mediaType = value;
    if (name === "content-transfer-encoding" && !/^(7bit|8bit|binary)$/i.test(value)) {
      throw malformed(`the transfer encoding ${JSON.stringify(value)} is not understood`, offset);
    }
  }
  if (disposition === null || !/^form-data(;|\s|$)/i.test(disposition)) {
    throw malformed("a part has no header Content-Disposition: form-data", offset);
  }
  const name = parameter(disposition, "name");
  if (name === null) throw malformed("a part has no name", offset);
  return { name, filename: parameter(disposition, "filename"), mediaType };
}

/** What is wrong with a body, and where. */
export function malformed(problem: string, offset: number): MalformedInputError {
  return new MalformedInputError(`the multipart body is malformed: ${problem} (byte ${offset})`);
}

/** The ways in which a body can go wrong as a whole. */
export const problemOf = {
  noDelimiter: (delimiter: Delimiter) => `the delimiter "${delimiter.text}" does not occur`,
  noEnd: (part: string, delimiter: Delimiter) =>
    `the part ${JSON.stringify(part)} does not end: the delimiter "${delimiter.text}--" is missing`,
  cutHeader: "the body ends inside the header of a part",
  longHeader: `the header of a part is longer than ${LIMIT.headerBytes} bytes`,
  manyParts: `there are more than ${LIMIT.parts} parts`,
} as const;

/** The boundary that the content type names, with or without quotes. */
function boundaryOf(contentType: string): string {
  const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2];
  if (boundary === undefined) {
    throw new MalformedInputError("the content type multipart/form-data names no boundary");
  }
  if (!/^[\x21-\x7e ]{0,69}[\x21-\x7e]$/.test(boundary)) {
    throw new MalformedInputError("expected a boundary of 1 to 70 printable ASCII characters");
  }
  return boundary;
}

/** How far the search may move on, by the byte under the delimiter's end. */
function skipTable(delimiter: Uint8Array): Uint8Array {
  const skips = new Uint8Array(256).fill(delimiter.length);
  for (let index = 0; index < delimiter.length - 1; index++) {
    skips[delimiter[index]!] = delimiter.length - 1 - index;
  }
  return skips;
}

function isAt(bytes: Uint8Array, wanted: Uint8Array, start: number): boolean {
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false;
  }
  return true;
}

/** A parameter of the header, its quotes and escapes undone; null when it is not there. */
function parameter(value: string, name: string): string | null {
  const parameters = /;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g;
  for (const [, key, quoted, bare] of value.matchAll(parameters)) {
    if (key!.toLowerCase() === name) return quoted?.replace(/\\(["\\])/g, "$1") ?? bare ?? "";
  }
  return null;
}
