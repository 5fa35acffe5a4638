/**
 * The parts of a `multipart/form-data` body that is in memory as a whole, without copying them. The
 * runtime's own `formData()` is not used: it accepts bodies that were cut off.
 *
 * Invariant: returns every part whole, or throws saying at which byte the body goes wrong.
 */
import {
  Delimiter,
  findHeaderEnd,
  LIMIT,
  malformed,
  parsePartHeader,
  type PartHeader,
  problemOf,
} from "./multipart_frame.ts";

export interface Part extends PartHeader {
  /** A view into the body. */
  readonly bytes: Uint8Array;
}

/**
 * The parts in their order.
 *
 * @throws {MalformedInputError} for a content type without a boundary, and for a body that is cut
 * off or otherwise not multipart.
 */
export function parseMultipart(body: Uint8Array, contentType: string): Part[] {
  const delimiter = new Delimiter(contentType);
  const parts: Part[] = [];

  let found = delimiter.isFirst(body) ? -2 : delimiter.find(body, 0);
  while (true) {
    const end = found === -1 ? null : delimiter.endAt(body, found);
    if (end === null || end.type === "cut") {
      const last = parts.at(-1);
      throw malformed(
        last === undefined
          ? problemOf.noDelimiter(delimiter)
          : problemOf.noEnd(last.name, delimiter),
        body.length,
      );
    }
    if (end.type !== "next") return parts;
    const position = end.start;
    if (parts.length === LIMIT.parts) throw malformed(problemOf.manyParts, position);
    const headerEnd = findHeaderEnd(body, position);
    if (headerEnd === -1) {
      const most = Math.min(body.length, position + LIMIT.headerBytes);
      throw malformed(most === body.length ? problemOf.cutHeader : problemOf.longHeader, most);
    }
    const header = parsePartHeader(body.subarray(position, headerEnd), position);
    const start = headerEnd + 4;
    // A part without content may have its delimiter's line break in the empty line of its header.
    found = delimiter.find(body, start - 2);
    parts.push({ ...header, bytes: body.subarray(start, Math.max(start, found)) });
  }
}
