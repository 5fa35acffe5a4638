/** Proves that the examples of handlers in other languages do what they say, run as a user would. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Sandbox } from "../helpers/program.ts";

const example = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Adds a job and returns all about it once it is over. */
async function run(sandbox: Sandbox, ...flags: string[]) {
  const id = (await sandbox.ok("add", "--quiet", "--max-retries", "0", ...flags)).trim();
  await sandbox.wait([id]);
  return await sandbox.show(id);
}

Deno.test("handlers_words.py counts words in a payload and in an uploaded file", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--handler", `words=python3 ${example("handlers_words.py")}`]);
  const payload = JSON.stringify({ text: "to be or not to be", top: 2 });
  const job = await run(sandbox, "--kind", "words", "--payload", payload);
  assert.deepEqual(job["result"], { words: 6, top: { to: 2, be: 2 } });
  assert.equal(job["output"].stderr, `6 words in ${job["id"]}\n`);
  assert.deepEqual([job["progress"].value, job["progress"].text], [0.5, "counting"]);

  Deno.writeTextFileSync(sandbox.path("book.txt"), "Ärger und Ärger");
  const upload = await run(sandbox, "--kind", "words", "--input", "book.txt");
  assert.deepEqual(upload["result"], { words: 3, top: { ärger: 2, und: 1 } });

  const senseless = await run(sandbox, "--kind", "words", "--payload", "{}");
  assert.equal(senseless["state"], "cancelled");
  const broken = await run(sandbox, "--kind", "words", "--payload", '{"text":"a","top":"x"}');
  assert.match(broken["error"], /^TypeError: /);
});

Deno.test("handlers_checksum.sh adds up a file, and says when it cannot", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--handler", `checksum=${example("handlers_checksum.sh")}`]);
  Deno.writeTextFileSync(sandbox.path("file"), "abc");
  const payload = (path: string) => JSON.stringify({ path });
  const job = await run(sandbox, "--kind", "checksum", "--payload", payload(sandbox.path("file")));
  assert.equal(
    job["result"].sha256,
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-2, appendix B.1
  );
  const missing = await run(sandbox, "--kind", "checksum", "--payload", payload("/no/such/file"));
  assert.equal(missing["error"], "cannot read the file");
  assert.match(missing["output"].stderr, /No such file/);
  const wrong = await run(sandbox, "--kind", "checksum", "--payload", "5");
  assert.equal(wrong["error"], 'expected {"path": "FILE"}');
});
