/**
 * Golden files: what the program printed when somebody last looked at it and found it good.
 * `UPDATE_GOLDEN=1` writes them anew; then look at the difference.
 */
import assert from "node:assert/strict";

const DIRECTORY = new URL("./golden/", import.meta.url);

/** Compares the text with `golden/<name>.txt`. */
export async function assertGolden(name: string, text: string): Promise<void> {
  const file = new URL(`${name}.txt`, DIRECTORY);
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.mkdir(DIRECTORY, { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  const expected = await Deno.readTextFile(file).catch(() => "");
  assert.equal(text, expected, `golden/${name}.txt (UPDATE_GOLDEN=1 writes it anew)`);
}
