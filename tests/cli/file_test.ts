/** Files from the command line: given to a job, and fetched from one. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";

const show = async (id: string, db: string) =>
  JSON.parse((await queuectl(["show", id, "--json"], { db })).stdout);

Deno.test("add --input gives a command a file, of which only the database has a copy then", async () => {
  await using temp = await tempDir();
  const path = `${temp.dir}/data.csv`;
  await Deno.writeFile(path, Uint8Array.of(0, 255, 10));
  const args = ["add", "true", "--id", "a", "--input", "data.csv"];
  const { code, stderr } = await queuectl(args, { ...temp, cwd: temp.dir });
  assert.equal(code, 0, stderr);
  await Deno.remove(path);
  assert.deepEqual((await show("a", temp.db)).input, {
    name: "data.csv",
    media_type: null,
    bytes: 3,
  });
});

Deno.test("add --kind takes a payload, a file, or a file from stdin", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/book.txt`, "été");
  const inDir = { ...temp, cwd: temp.dir };
  const adds = [
    ["add", "--kind", "count", "--payload", '"abc"', "--id", "payload"],
    ["add", "--kind", "count", "--input", "book.txt", "--id", "file"],
  ];
  for (const args of adds) {
    const { code, stderr } = await queuectl(args, inDir);
    assert.equal(code, 0, stderr);
  }
  const piped = ["add", "--kind", "count", "--input", "-", "--id", "stdin"];
  assert.equal((await queuectl(piped, { ...inDir, stdin: "from stdin" })).code, 0);
  assert.equal((await show("payload", temp.db)).payload, "abc");
  assert.equal((await show("file", temp.db)).payload_bytes, 5);
  assert.equal((await show("stdin", temp.db)).input.bytes, 10);
});

const MISTAKES: [args: string[], code: number, message: RegExp][] = [
  [
    ["--input", "nowhere.txt", "true"],
    2,
    /--input: cannot read nowhere\.txt: there is no such file/,
  ],
  [["--input", ".", "true"], 2, /--input: cannot read \.: it is a directory/],
  [["--kind", "count", "--input", "bad.txt"], 2, /not UTF-8 text: byte 1 \(0xff\)/],
  [
    ["--kind", "count", "--input", "bad.txt", "--payload", "1"],
    2,
    /either a text to count or a file/,
  ],
  [
    ["--kind", "http", "--input", "bad.txt", "--payload", '{"url":"https://example.com/"}'],
    2,
    /payload: an http job sends its body; expected no file/,
  ],
  [["--kind", "count"], 2, /payload: missing/],
  [["--kind", "nothing", "--input", "bad.txt"], 2, /kind: expected one of/],
  [["--kind", "count", "--payload", "{"], 2, /--payload/],
  [["--payload", "1"], 2, /--payload: expected --kind, too/],
  [["--kind", "count", "echo hi"], 2, /either a command or --kind, got both/],
  [[], 2, /expected a command, or --kind/],
];
for (const [args, code, message] of MISTAKES) {
  Deno.test(`add ${args.join(" ")} is a mistake, and adds nothing`, async () => {
    await using temp = await tempDir();
    await Deno.writeFile(`${temp.dir}/bad.txt`, Uint8Array.of(97, 255));
    const answer = await queuectl(["add", ...args], { ...temp, cwd: temp.dir });
    assert.equal(answer.code, code, answer.stderr);
    assert.match(answer.stderr, message);
    assert.equal((await queuectl(["list", "--json"], temp)).stdout.trim(), "[]");
  });
}

Deno.test("artifact get and list of jobs and files that are not there say so", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "true", "--id", "a"], temp);
  const none = await queuectl(["artifact", "list", "a"], temp);
  assert.deepEqual([none.code, none.stderr], [0, "Job a has left no files.\n"]);
  const json = JSON.parse((await queuectl(["artifact", "list", "a", "--json"], temp)).stdout);
  assert.deepEqual(json, { job_id: "a", artifacts: [], artifacts_dropped: [] });
  const missing = await queuectl(["artifact", "get", "a", "x.txt"], temp);
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /the job a has no artifact "x\.txt"; it has none/);
  assert.equal((await queuectl(["artifact", "get", "b", "x"], temp)).code, 3);
  assert.equal((await queuectl(["artifact", "get", "a"], temp)).code, 2);
});
