/** The multipart parser: returns every part whole, or throws. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMultipart } from "../../src/http/multipart.ts";
import { MalformedInputError } from "../../src/job/errors.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Names and contents of the parts. */
function parse(body: string, contentType = "multipart/form-data; boundary=XX"): string[][] {
  return parseMultipart(encode(body), contentType).map(({ name, bytes }) => [name, decode(bytes)]);
}

const part = (name: string, content: string) =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
const WHOLE = `${part("a", "1")}${part("file", "hello\r\nworld")}--XX--\r\n`;
const PARTS = [["a", "1"], ["file", "hello\r\nworld"]];

Deno.test("parts come with their names and their bytes", () => {
  assert.deepEqual(parse(WHOLE), PARTS);
});

Deno.test("a body that is cut off anywhere before its last delimiter is refused", () => {
  const complete = WHOLE.length - "\r\n".length;
  for (let length = 0; length < complete; length++) {
    assert.throws(() => parse(WHOLE.slice(0, length)), MalformedInputError, `at ${length}`);
  }
  assert.deepEqual(parse(WHOLE.slice(0, complete)), PARTS);
});

const CONTENT_TYPES = [
  'multipart/form-data; boundary="XX"',
  "multipart/form-data;boundary=XX",
  "multipart/form-data; charset=utf-8; Boundary=XX; x=y",
  "Multipart/Form-Data ; BOUNDARY = XX",
  'multipart/form-data; boundary="\\XX"',
];
for (const contentType of CONTENT_TYPES) {
  Deno.test(`the boundary is read from ${contentType}`, () => {
    assert.deepEqual(parse(WHOLE, contentType), PARTS);
  });
}

Deno.test("a boundary with spaces and signs works in quotes", () => {
  const boundary = "-a b'()+_,./:=?";
  const body = WHOLE.replaceAll("XX", boundary);
  assert.deepEqual(parse(body, `multipart/form-data; boundary="${boundary}"`), PARTS);
});

const DISPOSITIONS: [header: string, name: string, filename: string | null][] = [
  ['Content-Disposition: form-data; name="file"; filename="a b.txt"', "file", "a b.txt"],
  ["content-disposition: form-data; name=file; filename=a.txt", "file", "a.txt"],
  ["CONTENT-DISPOSITION:FORM-DATA;NAME=file", "file", null],
  ['Content-Disposition: form-data; filename="name=x"; name="file"', "file", "name=x"],
  ['Content-Disposition: form-data; name="a\\"b\\\\c"', 'a"b\\c', null],
  ['Content-Disposition: form-data; name="grün"', "grün", null],
  ['Content-Type: text/plain\r\nContent-Disposition: form-data; name=""', "", null],
];
for (const [header, name, filename] of DISPOSITIONS) {
  Deno.test(`the part's header ${JSON.stringify(header)} names ${JSON.stringify(name)}`, () => {
    const body = encode(`--XX\r\n${header}\r\n\r\nx\r\n--XX--`);
    const [parsed] = parseMultipart(body, "multipart/form-data; boundary=XX");
    assert.deepEqual([parsed!.name, parsed!.filename], [name, filename]);
    assert.equal(decode(parsed!.bytes), "x");
  });
}

Deno.test("what stands before the first delimiter and after the last one is ignored", () => {
  assert.deepEqual(parse(`preamble\r\n${WHOLE}epilogue`), PARTS);
});

Deno.test("spaces and tabs after a delimiter are ignored", () => {
  assert.deepEqual(parse(WHOLE.replaceAll("--XX\r\n", "--XX \t\r\n")), PARTS);
});

Deno.test("an empty part is empty, with or without the line break before its delimiter", () => {
  assert.deepEqual(parse(`${part("a", "")}--XX--`), [["a", ""]]);
  const tight = '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n--XX--';
  assert.deepEqual(parse(tight), [["a", ""]]);
});

Deno.test("a form without parts has none", () => {
  assert.deepEqual(parse("--XX--\r\n"), []);
});

const LOOKALIKES = [
  "--XX",
  "\n--XX--",
  "\r\n--X",
  "\r\n--XXY",
  "\r\n--XX-",
  "\r\n--xx--",
  "\r\n-XX--",
];
for (const content of LOOKALIKES) {
  Deno.test(`content with ${JSON.stringify(content)} is no delimiter`, () => {
    assert.deepEqual(parse(`${part("a", `${content}more`)}--XX--`), [["a", `${content}more`]]);
  });
}

Deno.test("whatever the runtime's own form encoder writes is read back (1,000 random forms)", async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.constantFrom(13, 10, 45, 88), { maxLength: 60 }).map((list) =>
      Uint8Array.from(list)
    ),
  );
  const fields = fc.array(fc.tuple(fc.stringMatching(/^[\w .:;=-]{1,20}$/), bytes), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(fields, async (entries) => {
      const form = new FormData();
      for (const [name, content] of entries) {
        form.append(name, new Blob([content as Uint8Array<ArrayBuffer>]), "f");
      }
      const response = new Response(form);
      const body = await response.bytes();
      const parts = parseMultipart(body, response.headers.get("content-type")!);
      assert.deepEqual(parts.map((one) => [one.name, one.bytes]), entries);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("rubbish is refused, and nothing else is thrown (3,000 random bodies)", () => {
  const piece = fc.constantFrom(
    "--XX",
    "\r\n",
    "--",
    "\r",
    "\n",
    " ",
    ":",
    "a",
    '"',
    ";",
    "name=",
    "\0",
  )
    .map(encode);
  const body = fc.array(fc.oneof(piece, fc.uint8Array({ maxLength: 3 })), { maxLength: 40 });
  fc.assert(
    fc.property(body, (pieces) => {
      const bytes = Uint8Array.from(pieces.flatMap((one) => [...one]));
      try {
        parseMultipart(bytes, "multipart/form-data; boundary=XX");
      } catch (error) {
        assert.ok(error instanceof MalformedInputError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
