/** Records as columns: what goes in comes out, through a structured clone as well. */
import assert from "node:assert/strict";
import { fromColumns, toColumns } from "../../src/lib/columns.ts";

interface Thing {
  readonly name: string;
  readonly size: number;
  readonly color: string;
  readonly payload: Uint8Array | string;
  readonly note?: { readonly text: string };
}

const thing = (name: string, payload: Thing["payload"] = name): Thing => ({
  name,
  size: name.length,
  color: "red",
  payload,
});

const there = <T extends object>(things: readonly T[]): T[] =>
  fromColumns(structuredClone(toColumns(things)));

Deno.test("columns: records come out as they went in, in their order", () => {
  const things = [thing("b"), thing("aaa"), thing("cc")];
  assert.deepEqual(there(things), things);
  assert.deepEqual(there([things[1]!]), [things[1]!]);
  assert.deepEqual(there([]), []);
});

Deno.test("columns: what all records have in common is said once", () => {
  const { same, each } = toColumns([thing("a"), thing("b")]);
  assert.deepEqual(same, { size: 1, color: "red" });
  assert.deepEqual(Object.keys(each), ["name", "payload"]);
});

Deno.test("columns: bytes of every length come out, and nobody else's with them", () => {
  const whole = new TextEncoder().encode("0123456789");
  const pieces = [whole.subarray(2, 5), new Uint8Array(), whole, whole.subarray(9)];
  const things = pieces.map((piece, index) => thing(`t${index}`, piece));
  assert.deepEqual(there(things), things);
});

Deno.test("columns: whoever keeps a few bytes keeps none of a large neighbor", () => {
  const things = [thing("small", new Uint8Array(3)), thing("large", new Uint8Array(4_000_000))];
  const [small, large] = there(things);
  assert.equal((small!.payload as Uint8Array).buffer.byteLength, 3);
  assert.equal(large!.payload.length, 4_000_000);
});

Deno.test("columns: bytes beside texts come out, too", () => {
  const things = [thing("a", new Uint8Array([1, 2])), thing("b", "text")];
  assert.deepEqual(there(things), things);
});

Deno.test("columns: what only some records have stays theirs", () => {
  const things = [thing("a"), { ...thing("b"), note: { text: "seen" } }];
  assert.deepEqual(there(things).map(({ note }) => note), [undefined, { text: "seen" }]);
});
