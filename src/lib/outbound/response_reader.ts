/**
 * Reads one HTTP/1.1 answer from a connection that is used for nothing else (RFC 9112). Keeps the
 * first part of its body and reads no further than that.
 *
 * Invariant: memory holds what is kept and one buffer, whatever the other side sends.
 */
import { RequestFailedError } from "./errors.ts";
import { joinBytes } from "../bytes.ts";

/** Names are lower-case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface Answer {
  readonly status: number;
  /** The words after the status; often empty. */
  readonly reason: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  /** Whether there was more of the body than what was kept. */
  readonly isTruncated: boolean;
}

const BUFFER_BYTES = 64 * 1024;
const HEAD_BYTES = 32 * 1024;
/** Of a chunk's size, and of a trailer. */
const LINE_BYTES = 8 * 1024;
/** Answers such as 103 before the real one. */
const MOST_INTERIM = 10;

export async function readAnswer(
  source: { read(into: Uint8Array): Promise<number | null> },
  { method, limitBytes }: { method: string; limitBytes: number },
): Promise<Answer> {
  const input = new Input(source);
  for (let interim = 0; interim <= MOST_INTERIM; interim++) {
    const head = await readHead(input);
    if (head.status >= 100 && head.status < 200 && head.status !== 101) continue;
    const kept = new Kept(limitBytes);
    const hasBody = method !== "HEAD" && head.status !== 101 && head.status !== 204 &&
      head.status !== 304;
    if (hasBody) await readBody(input, head.headers, kept);
    return { ...head, body: kept.joined(), isTruncated: kept.isOver };
  }
  throw broken("it sent only interim answers");
}

/** The first value of a header. */
export function headerOf(headers: HeaderList, name: string): string | null {
  return headers.find(([found]) => found === name)?.[1] ?? null;
}

async function readHead(input: Input): Promise<Omit<Answer, "body" | "isTruncated">> {
  const first = await input.line(HEAD_BYTES);
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
  if (match === null) throw broken("it does not speak HTTP/1.1");
  const headers: [string, string][] = [];
  let left = HEAD_BYTES - first.length;
  while (true) {
    const line = await input.line(left);
    if (line === "") return { status: Number(match[1]), reason: match[2]?.trim() ?? "", headers };
    left -= line.length;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      throw broken("a header of its answer cannot be read");
    }
    headers.push([name.toLowerCase(), line.slice(colon + 1).trim()]);
  }
}

async function readBody(input: Input, headers: HeaderList, kept: Kept): Promise<void> {
  const coding = headerOf(headers, "transfer-encoding");
  if (coding !== null) {
    if (coding.toLowerCase() !== "chunked") throw broken("the coding of its answer is not known");
    return await readChunks(input, kept);
  }
  const length = headerOf(headers, "content-length");
  if (length === null) {
    while (!kept.isOver) {
      const bytes = await input.some(BUFFER_BYTES);
      if (bytes === null) return;
      kept.add(bytes);
    }
    return;
  }
  if (!/^\d{1,15}$/.test(length)) throw broken("the length of its answer cannot be read");
  await readExactly(input, Number(length), kept);
}

async function readChunks(input: Input, kept: Kept): Promise<void> {
  while (!kept.isOver) {
    const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(await input.line(LINE_BYTES))?.[1];
    if (size === undefined) throw broken("a chunk of its answer cannot be read");
    const bytes = parseInt(size, 16);
    if (bytes === 0) return; // trailers follow, which nobody asked for
    await readExactly(input, bytes, kept);
    if (kept.isOver) return;
    if (await input.line(LINE_BYTES) !== "") throw broken("a chunk of its answer cannot be read");
  }
}

async function readExactly(input: Input, length: number, kept: Kept): Promise<void> {
  for (let left = length; left > 0 && !kept.isOver;) {
    const bytes = await input.some(left);
    if (bytes === null) throw broken("its answer broke off");
    left -= bytes.length;
    kept.add(bytes);
  }
}

function broken(why: string): RequestFailedError {
  return new RequestFailedError("connect", `the server cannot be understood: ${why}`);
}

/** The connection's bytes, by lines and by lengths. */
class Input {
  readonly #source: { read(into: Uint8Array): Promise<number | null> };
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;

  constructor(source: { read(into: Uint8Array): Promise<number | null> }) {
    this.#source = source;
  }

  /** What comes next, at most so many bytes; null: nothing more. Valid until the next call. */
  async some(most: number): Promise<Uint8Array | null> {
    if (this.#start === this.#end && !await this.#fill()) return null;
    const end = Math.min(this.#end, this.#start + most);
    const bytes = this.#buffer.subarray(this.#start, end);
    this.#start = end;
    return bytes;
  }

  /** Up to the next line feed; its end is left out. */
  async line(most: number): Promise<string> {
    let text = "";
    while (true) {
      if (this.#start === this.#end && !await this.#fill()) throw broken("its answer broke off");
      const found = this.#buffer.subarray(this.#start, this.#end).indexOf(0x0a);
      const end = found === -1 ? this.#end : this.#start + found;
      if (text.length + end - this.#start > most) throw broken("a line of its answer is too long");
      text += latin1(this.#buffer.subarray(this.#start, end));
      this.#start = found === -1 ? end : end + 1;
      if (found !== -1) return text.endsWith("\r") ? text.slice(0, -1) : text;
    }
  }

  async #fill(): Promise<boolean> {
    const count = await this.#source.read(this.#buffer);
    this.#start = 0;
    this.#end = count ?? 0;
    return count !== null;
  }
}

/** The first bytes of a body. */
class Kept {
  /** Whether there was more. */
  isOver = false;
  readonly #limitBytes: number;
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(bytes: Uint8Array): void {
    const room = this.#limitBytes - this.#bytes;
    if (bytes.length > room) this.isOver = true;
    const part = bytes.slice(0, room);
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  joined(): Uint8Array {
    return joinBytes(this.#parts);
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
