/** What is different on a terminal: colours, relative times, questions. */
import assert from "node:assert/strict";
import { oneLine, relativeTime, sanitize, tail } from "../../src/cli/output.ts";
import { runCli } from "../../src/cli/run.ts";
import { suggest } from "../../src/cli/suggest.ts";
import { tempDir } from "../helpers/cli.ts";
import { T0 } from "../helpers/jobs.ts";
import { fakeIo } from "./fake_io.ts";
import { fillStore } from "./fill_store.ts";

// deno-lint-ignore no-control-regex
const ESCAPE = /\x1b\[/;
const LIST = ["list", "--state", "all"];

Deno.test("colours come on a terminal only, and NO_COLOR turns them off", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const print = async (line: string[], isTerminal: boolean, env: Record<string, string> = {}) => {
    const io = fakeIo({ isTerminal, env: { QUEUECTL_DB: temp.db, ...env }, nowMs: T0 });
    await runCli(line, io);
    return io.printed;
  };
  assert.match((await print(LIST, true)).stdout, ESCAPE);
  assert.doesNotMatch((await print(LIST, false)).stdout, ESCAPE);
  assert.doesNotMatch((await print(LIST, true, { NO_COLOR: "1" })).stdout, ESCAPE);
  assert.doesNotMatch((await print(LIST, true, { TERM: "dumb" })).stdout, ESCAPE);
  assert.match((await print(["show", "no"], true)).stderr, ESCAPE);
  assert.doesNotMatch((await print(["show", "no"], true, { NO_COLOR: "1" })).stderr, ESCAPE);
  assert.doesNotMatch((await print([...LIST, "--json"], true)).stdout, ESCAPE);
  assert.match((await print(["--help"], true)).stdout, ESCAPE);
  assert.doesNotMatch((await print(["--help"], true, { NO_COLOR: "1" })).stdout, ESCAPE);
});

Deno.test("a job's own escape sequences never reach the terminal through list and show", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  for (const line of [LIST, ["show", "dead-1"], ["show", "mail-2"]]) {
    const env = { QUEUECTL_DB: temp.db, NO_COLOR: "1" };
    const io = fakeIo({ isTerminal: true, env, nowMs: T0 });
    assert.equal(await runCli(line, io), 0);
    assert.ok(!io.printed.stdout.includes("\x1b"), line.join(" "));
  }
});

Deno.test("on a terminal times are relative and lines fit", async () => {
  await using temp = await tempDir();
  // A server goes by its own clock, which does not stand still.
  const nowMs = Date.now();
  await fillStore(temp.db, nowMs - 125_702);
  const env = { QUEUECTL_DB: temp.db, NO_COLOR: "1" };
  const io = fakeIo({ isTerminal: true, columns: 120, env, nowMs });
  await runCli(LIST, io);
  assert.match(io.printed.stdout, /^mail-1 .* 2m(?: \d+s)? ago +2m \d+s ago /m);
  assert.doesNotMatch(io.printed.stdout, /\d-\d\dT\d/);
  for (const line of io.printed.stdout.split("\n")) assert.ok(line.length <= 120, line);
});

Deno.test("dlq purge asks on a terminal, and does nothing unless the answer is yes", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const purge = async (stdin: string, ...more: string[]) => {
    const io = fakeIo({ isTerminal: true, env: { QUEUECTL_DB: temp.db, NO_COLOR: "1" }, stdin });
    return { code: await runCli(["dlq", "purge", ...more], io), ...io.printed };
  };
  const no = await purge("\n");
  assert.deepEqual([no.code, no.stdout], [1, ""]);
  assert.equal(no.stderr, "Delete 1 dead job? [y/N] Nothing was deleted.\n");
  assert.equal((await purge("")).code, 1, "end of input is no answer");
  const yes = await purge("y\n");
  assert.deepEqual([yes.code, yes.stdout], [0, "Deleted 1 dead job\n"]);
  const unasked = await purge("", "--yes");
  assert.deepEqual([unasked.code, unasked.stderr], [0, ""]);
});

Deno.test("messages stay off stdout", async () => {
  await using temp = await tempDir();
  const io = fakeIo({ env: { QUEUECTL_DB: temp.db } });
  await runCli(["list"], io);
  assert.equal(io.printed.stdout, "");
  assert.match(io.printed.stderr, /No pending jobs/);
});

Deno.test("relative times round down and know the future", () => {
  assert.equal(relativeTime(1_000, 1_999), "now");
  assert.equal(relativeTime(0, 59_999), "59s ago");
  assert.equal(relativeTime(3_600_000, 0), "in 1h");
  assert.equal(relativeTime(0, 90_061_000), "1d 1h ago");
});

Deno.test("oneLine() keeps a text on one line, in bounds, without control characters", () => {
  assert.equal(oneLine("a\n\tb  c "), "a b c");
  assert.equal(oneLine("x".repeat(100), 10), "xxxxxxxxx…");
  assert.equal(oneLine("👋".repeat(4), 4), "👋👋👋👋");
  assert.equal(oneLine("a\x1b]0;title\x07b"), "a\ufffd]0;title\ufffdb");
});

Deno.test("sanitize() keeps line breaks and tabs, and nothing else that moves the cursor", () => {
  assert.equal(sanitize("a\r\nb\tc"), "a\nb\tc");
  assert.equal(
    sanitize("progress\rdone\x08\x9b2J\u202e"),
    "progress\ufffddone\ufffd\ufffd2J\ufffd",
  );
});

Deno.test("tail() keeps the end within both limits and says when it cut", () => {
  assert.deepEqual(tail("a\nb\nc\n", { lines: 2, characters: 100 }), { text: "b\nc", isCut: true });
  assert.deepEqual(tail("abc", { lines: 9, characters: 2 }), { text: "bc", isCut: true });
  assert.deepEqual(tail("a\nb\n", { lines: 2, characters: 4 }), { text: "a\nb", isCut: false });
});

Deno.test("suggest() finds what was meant, and stays silent when nothing is close", () => {
  const words = ["max-retries", "backoff-base", "start", "stop", "list"];
  assert.equal(suggest("max_retires", words), "max-retries");
  assert.equal(suggest("maxRetries", words), "max-retries");
  assert.equal(suggest("satrt", words), "start");
  assert.equal(suggest("lst", words), "list");
  assert.equal(suggest("xyzzy", words), undefined);
});
