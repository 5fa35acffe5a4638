/** The multipart parser for bodies that come in pieces: tells the same as the one for whole bodies. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMultipart } from "../../src/http/multipart.ts";
import { MultipartStream } from "../../src/http/multipart_stream.ts";
import { MalformedInputError } from "../../src/job/errors.ts";

const TYPE = "multipart/form-data; boundary=XX";
const encode = (text: string) => new TextEncoder().encode(text);

interface Parsed {
  readonly name: string;
  readonly bytes: number[];
  readonly isEnded: boolean;
}

/** What the pieces hold, or the message of what is wrong with them. */
function parsePieces(pieces: readonly Uint8Array[]): Parsed[] | string {
  const parts: { name: string; bytes: number[]; isEnded: boolean }[] = [];
  const stream = new MultipartStream(TYPE);
  try {
    for (const piece of pieces) {
      for (const event of stream.push(piece)) {
        if (event.type === "begin") {
          parts.push({ name: event.header.name, bytes: [], isEnded: false });
        } else if (event.type === "data") parts.at(-1)!.bytes.push(...event.bytes);
        else parts.at(-1)!.isEnded = true;
      }
    }
    stream.end();
  } catch (error) {
    assert.ok(error instanceof MalformedInputError, String(error));
    return error.message;
  }
  return parts;
}

function parseWhole(body: Uint8Array): Parsed[] | string {
  try {
    return parseMultipart(body, TYPE).map(({ name, bytes }) => ({
      name,
      bytes: [...bytes],
      isEnded: true,
    }));
  } catch (error) {
    assert.ok(error instanceof MalformedInputError, String(error));
    return error.message;
  }
}

function cut(body: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const length of lengths) {
    pieces.push(body.subarray(start, start + length));
    start += length;
  }
  return [...pieces, body.subarray(start)];
}

const header = 'Content-Disposition: form-data; name="f"\r\n\r\n';
const piece = fc.constantFrom(
  ...["--XX", "\r\n--XX", "\r\n", "--", "-", "\r", "\n", " ", "\t", "a", "X", `--XX\r\n${header}`],
  ...[`\r\n--XX\r\n${header}`, `\r\n--XX \t\r\n${header}`, "\r\n--XX--", header, "Content-Type: a"],
);

Deno.test("a body in pieces holds what it holds as a whole, or is wrong at the same byte (20,000 bodies)", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 14 }),
      fc.array(fc.nat({ max: 24 }), { maxLength: 12 }),
      fc.boolean(),
      (texts, lengths, isFramed) => {
        const text = texts.join("");
        const body = encode(isFramed ? `--XX\r\n${header}${text}\r\n--XX--\r\n` : text);
        assert.deepEqual(parsePieces(cut(body, lengths)), parseWhole(body));
      },
    ),
    { numRuns: 20_000 },
  );
});

Deno.test("a body that comes byte by byte holds what it holds as a whole", () => {
  const body = encode(
    `pre\r\n--XX\r\n${header}a\r\n--X\r\n--XXY\r\n--XX \r\n${header}\r\n--XX--post`,
  );
  const whole = parseWhole(body);
  assert.ok(Array.isArray(whole) && whole.length === 2, String(whole));
  assert.deepEqual(parsePieces([...body].map((byte) => Uint8Array.of(byte))), whole);
});

Deno.test("a body in pieces that is cut off anywhere before its last delimiter is refused", () => {
  const body = encode(`--XX\r\n${header}hello\r\n--XX--`);
  for (let length = 0; length < body.length; length++) {
    const bytes = [...body.subarray(0, length)].map((byte) => Uint8Array.of(byte));
    assert.equal(typeof parsePieces(bytes), "string", `at ${length}`);
  }
});

Deno.test("content is handed on as it comes: little of it is held back", () => {
  const stream = new MultipartStream(TYPE);
  let handedOn = 0;
  const push = (bytes: Uint8Array) => {
    for (const event of stream.push(bytes)) {
      if (event.type === "data") handedOn += event.bytes.length;
    }
  };
  push(encode(`--XX\r\n${header}`));
  const content = new Uint8Array(64 * 1024).fill(45);
  for (let round = 1; round <= 32; round++) {
    push(content);
    assert.ok(round * content.length - handedOn <= 16, `${handedOn} after ${round} pieces`);
  }
});

Deno.test("a delimiter that is followed by spaces without end is content, and is not held", () => {
  const stream = new MultipartStream(TYPE);
  const spaces = new Uint8Array(64 * 1024).fill(32);
  let handedOn = 0;
  for (const bytes of [encode(`--XX\r\n${header}\r\n--XX`), spaces, spaces, encode("\r\n--XX--")]) {
    for (const event of stream.push(bytes)) {
      if (event.type === "data") handedOn += event.bytes.length;
    }
  }
  stream.end();
  assert.equal(handedOn, 6 + 2 * spaces.length);
});

Deno.test("a header that does not end is refused as soon as it is too long", () => {
  const stream = new MultipartStream(TYPE);
  const push = (bytes: Uint8Array) => [...stream.push(bytes)];
  push(encode("--XX\r\nA: "));
  assert.throws(() => {
    for (let round = 0; round < 9; round++) push(new Uint8Array(1024).fill(65));
  }, /the header of a part is longer than 8192 bytes/);
});

Deno.test("more parts than a form may have are refused", () => {
  const body = encode(`--XX\r\n${header}x\r\n`.repeat(65) + "--XX--");
  assert.match(String(parsePieces([body])), /more than 64 parts/);
  assert.equal(parsePieces([body]), parseWhole(body));
});
