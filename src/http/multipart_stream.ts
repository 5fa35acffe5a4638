/**
 * The parts of a `multipart/form-data` body that comes in pieces, handed on as they come. Pure:
 * knows no request and no file.
 *
 * Invariants: whatever the pieces, it tells the same as `multipart.ts` of the whole; between two of
 * them it holds no more than a part's header or a delimiter's line.
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

/** What comes next. Data is a view that is good until the next piece. */
export type PartEvent =
  | { readonly type: "begin"; readonly header: PartHeader }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

type State = "preamble" | "header" | "content" | "epilogue";

/** The line break that ends a part's header may also begin its delimiter: then it has no content. */
const HEADER_BREAK = 2;

/** What the buffer takes at first: the usual piece and what is held. */
const BUFFER_BYTES = 68 * 1024;

export class MultipartStream {
  readonly #delimiter: Delimiter;
  #state: State = "preamble";
  /** Holds them; used again for every piece, so that a gigabyte leaves no garbage. */
  #buffer = new Uint8Array(BUFFER_BYTES);
  /** Bytes that cannot be told apart yet. At first a line break, as the first delimiter needs none. */
  #held: Uint8Array = Uint8Array.of(13, 10);
  /** Where they start in the body. */
  #offset = -2;
  /** How many of them are no content of the part. */
  #skipped = 0;
  #parts = 0;
  #partName = "";

  /** @throws {MalformedInputError} when the content type names no usable boundary. */
  constructor(contentType: string) {
    this.#delimiter = new Delimiter(contentType);
  }

  /**
   * What a further piece of the body holds. All of it must be taken before the next piece.
   *
   * @throws {MalformedInputError} as soon as the body goes wrong.
   */
  *push(piece: Uint8Array): Generator<PartEvent> {
    this.#hold(piece);
    while (true) {
      switch (this.#state) {
        case "epilogue":
          this.#drop(this.#held.length);
          return;
        case "header": {
          const header = this.#takeHeader();
          if (header === null) return;
          yield { type: "begin", header };
          break;
        }
        default:
          if (!(yield* this.#takeContent())) return;
      }
    }
  }

  /** @throws {MalformedInputError} when the body must not end here. */
  end(): void {
    const offset = this.#offset + this.#held.length;
    switch (this.#state) {
      case "preamble":
        throw malformed(problemOf.noDelimiter(this.#delimiter), offset);
      case "header":
        throw malformed(problemOf.cutHeader, offset);
      case "content":
        throw malformed(problemOf.noEnd(this.#partName, this.#delimiter), offset);
    }
  }

  /** The header once it is whole. */
  #takeHeader(): PartHeader | null {
    const end = findHeaderEnd(this.#held, 0);
    if (end === -1) {
      if (this.#held.length < LIMIT.headerBytes) return null;
      throw malformed(problemOf.longHeader, this.#offset + LIMIT.headerBytes);
    }
    const header = parsePartHeader(this.#held.subarray(0, end), this.#offset);
    this.#drop(end + HEADER_BREAK);
    this.#skipped = HEADER_BREAK;
    this.#partName = header.name;
    this.#parts++;
    this.#state = "content";
    return header;
  }

  /** Hands on content up to the next delimiter; whether there is one, and the bytes go on. */
  *#takeContent(): Generator<PartEvent, boolean> {
    const found = this.#delimiter.find(this.#held, 0);
    const end = found === -1 ? null : this.#delimiter.endAt(this.#held, found);
    if (end === null || end.type === "cut") {
      // A delimiter may have begun at the end of what is here.
      const certain = found === -1 ? this.#held.length - this.#delimiter.length + 1 : found;
      if (certain > this.#skipped) yield* this.#handOn(certain);
      return false;
    }
    yield* this.#handOn(found);
    if (this.#state === "content") yield { type: "end" };
    if (end.type !== "next") {
      this.#state = "epilogue";
      return true;
    }
    this.#drop(end.start - found);
    this.#state = "header";
    if (this.#parts === LIMIT.parts) throw malformed(problemOf.manyParts, this.#offset);
    return true;
  }

  *#handOn(length: number): Generator<PartEvent> {
    const bytes = this.#held.subarray(this.#skipped, length);
    this.#drop(length);
    this.#skipped = 0;
    if (this.#state === "content" && bytes.length > 0) yield { type: "data", bytes };
  }

  /** Puts a piece behind what is held. */
  #hold(piece: Uint8Array): void {
    const held = this.#held;
    const length = held.length + piece.length;
    // What is held may stand in the buffer already: it is moved, not copied over itself.
    const buffer = length <= this.#buffer.length ? this.#buffer : new Uint8Array(2 * length);
    buffer.set(held);
    buffer.set(piece, held.length);
    this.#buffer = buffer;
    this.#held = buffer.subarray(0, length);
  }

  #drop(length: number): void {
    this.#held = this.#held.subarray(length);
    this.#offset += length;
  }
}
