/**
 * The parts of a `multipart/form-data` body (RFC 7578; its frame: RFC 2046, section 5.1.1), without
 * copying them. The runtime's own `formData()` is not used: it accepts bodies that were cut off.
 *
 * Invariant: returns every part whole, or throws saying at which byte the body goes wrong.
 */
import { MalformedInputError } from "../job/errors.ts";

export interface Part {
  readonly name: string;
  readonly filename: string | null;
  /** A view into the body. */
  readonly bytes: Uint8Array;
}

/** The most parts, header lines and bytes of header that a part may have. */
const LIMIT = { parts: 64, headerLines: 16, headerBytes: 8 * 1024 } as const;

const CR = 13;
const LF = 10;
const DASH = 45;

const encoder = new TextEncoder();
const headerDecoder = new TextDecoder();

/**
 * The parts in their order.
 *
 * @throws {MalformedInputError} for a content type without a boundary, and for a body that is cut
 * off or otherwise not multipart.
 */
export function parseMultipart(body: Uint8Array, contentType: string): Part[] {
  const boundary = boundaryOf(contentType);
  const delimiter = encoder.encode(`\r\n--${boundary}`);
  const skips = skipTable(delimiter);
  const parts: Part[] = [];

  let position = findFirst(body, delimiter, skips);
  if (position === -1) {
    throw malformed(`the delimiter "--${boundary}" does not occur`, body.length);
  }
  while (true) {
    if (body[position] === DASH && body[position + 1] === DASH) return parts;
    position = skipPadding(body, position) + 2;
    if (parts.length === LIMIT.parts) {
      throw malformed(`there are more than ${LIMIT.parts} parts`, position);
    }
    const headerEnd = findHeaderEnd(body, position);
    const { name, filename } = parsePartHeader(body.subarray(position, headerEnd), position);
    const start = headerEnd + 4;
    // A part without content may have its delimiter's line break in the empty line of its header.
    const end = findDelimiter(body, delimiter, skips, start - 2);
    if (end === -1) {
      throw malformed(
        `the part ${JSON.stringify(name)} does not end: the delimiter "--${boundary}--" is missing`,
        body.length,
      );
    }
    parts.push({ name, filename, bytes: body.subarray(start, Math.max(start, end)) });
    position = end + delimiter.length;
  }
}

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

/** Where the first delimiter ends; it needs no line break before it. -1: there is none. */
function findFirst(body: Uint8Array, delimiter: Uint8Array, skips: Uint8Array): number {
  const bare = delimiter.subarray(2);
  if (isAt(body, bare, 0) && isDelimiterEnd(body, bare.length)) return bare.length;
  const found = findDelimiter(body, delimiter, skips, 0);
  return found === -1 ? -1 : found + delimiter.length;
}

/** Where the next delimiter starts. A longer line that merely begins like one is content. */
function findDelimiter(
  body: Uint8Array,
  delimiter: Uint8Array,
  skips: Uint8Array,
  from: number,
): number {
  // Horspool's search: looks at the last byte first and mostly skips the delimiter's whole length.
  const last = delimiter.length - 1;
  const lastByte = delimiter[last]!;
  let end = from + last;
  while (end < body.length) {
    const byte = body[end]!;
    if (byte === lastByte && isAt(body, delimiter, end - last) && isDelimiterEnd(body, end + 1)) {
      return end - last;
    }
    end += skips[byte]!;
  }
  return -1;
}

/** How far the search may move on, by the byte under the delimiter's end. */
function skipTable(delimiter: Uint8Array): Uint8Array {
  const skips = new Uint8Array(256).fill(delimiter.length);
  for (let index = 0; index < delimiter.length - 1; index++) {
    skips[delimiter[index]!] = delimiter.length - 1 - index;
  }
  return skips;
}

function isAt(body: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < bytes.length; index++) {
    if (body[start + index] !== bytes[index]) return false;
  }
  return true;
}

/** Whether a delimiter may end here: before "--" (the last one), or before a line break. */
function isDelimiterEnd(body: Uint8Array, position: number): boolean {
  if (body[position] === DASH && body[position + 1] === DASH) return true;
  const lineEnd = skipPadding(body, position);
  return body[lineEnd] === CR && body[lineEnd + 1] === LF;
}

/** Spaces and tabs may follow a delimiter on its line. */
function skipPadding(body: Uint8Array, position: number): number {
  let index = position;
  while (body[index] === 32 || body[index] === 9) index++;
  return index;
}

/** Where the empty line starts that ends the part's header. */
function findHeaderEnd(body: Uint8Array, start: number): number {
  const most = Math.min(body.length, start + LIMIT.headerBytes);
  for (let index = body.indexOf(CR, start); index !== -1 && index + 3 < most;) {
    if (body[index + 1] === LF && body[index + 2] === CR && body[index + 3] === LF) return index;
    index = body.indexOf(CR, index + 1);
  }
  const problem = most === body.length
    ? "the body ends inside the header of a part"
    : `the header of a part is longer than ${LIMIT.headerBytes} bytes`;
  throw malformed(problem, most);
}

/** Name and file name from a part's header. `offset`: where it stands in the body. */
function parsePartHeader(
  header: Uint8Array,
  offset: number,
): { name: string; filename: string | null } {
  const lines = headerDecoder.decode(header).split("\r\n");
  if (lines.length > LIMIT.headerLines) {
    throw malformed(`a part has more than ${LIMIT.headerLines} header lines`, offset);
  }
  let disposition: string | null = null;
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw malformed(`${JSON.stringify(line)} is no header line of a part`, offset);
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "content-disposition") disposition = value;
    if (name === "content-transfer-encoding" && !/^(7bit|8bit|binary)$/i.test(value)) {
      throw malformed(`the transfer encoding ${JSON.stringify(value)} is not understood`, offset);
    }
  }
  if (disposition === null || !/^form-data(;|\s|$)/i.test(disposition)) {
    throw malformed("a part has no header Content-Disposition: form-data", offset);
  }
  const name = parameter(disposition, "name");
  if (name === null) throw malformed("a part has no name", offset);
  return { name, filename: parameter(disposition, "filename") };
}

/** A parameter of the header, its quotes and escapes undone; null when it is not there. */
function parameter(value: string, name: string): string | null {
  const parameters = /;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g;
  for (const [, key, quoted, bare] of value.matchAll(parameters)) {
    if (key!.toLowerCase() === name) return quoted?.replace(/\\(["\\])/g, "$1") ?? bare ?? "";
  }
  return null;
}

function malformed(problem: string, offset: number): MalformedInputError {
  return new MalformedInputError(`the multipart body is malformed: ${problem} (byte ${offset})`);
}
