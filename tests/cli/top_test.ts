/** `top` and `status --watch` on a terminal, beside processes that work; and without a terminal. */
import assert from "node:assert/strict";
import { queuectl, spawnQueuectl, tempDir } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { rawQuery } from "../helpers/raw_database.ts";
import { HAS_TERMINALS, Terminal } from "../helpers/terminal.ts";

const ignore = !HAS_TERMINALS;

/** Everything that a terminal needs to be usable again. */
function assertGivenBack({ screen }: Terminal): void {
  assert.equal(screen.isAlternate, false, "the alternate screen is left");
  assert.equal(screen.isCursorHidden, false, "the cursor is seen");
}

Deno.test({
  name: "top shows jobs as they change, a job with its output, and leaves no trace",
  ignore,
  async fn() {
    await using temp = await tempDir();
    await queuectl(["add", "echo from the job; sleep 0.2; false", "--id", "one"], temp);
    await queuectl(["config", "set", "max-retries", "0"], temp);
    await queuectl(["add", "echo more; exit 7", "--id", "two"], temp);
    await using top = new Terminal(["top"], { ...temp, rows: 40 });
    await top.shows(/> two +pending +default/);
    assert.equal(top.screen.isAlternate, true);
    assert.equal(top.screen.isCursorHidden, true);
    await using _worker = await spawnQueuectl(["worker", "-n", "1"], temp);
    await top.shows(/> two +dead .* exit code 7/);
    await top.press("\r");
    await top.shows(/State +dead[\s\S]*stdout of the last attempt\nmore/);
    await top.press("\x1b");
    await top.shows(/> two/);
    await top.press("/kind:command state:dead\r");
    await top.shows(/\/kind:command state:dead[\s\S]*> two/);
    await top.press("q");
    assert.equal(await top.ended, 0);
    assertGivenBack(top);
  },
});

Deno.test({
  name: "top requeues and cancels after a question, and says what became of it",
  ignore,
  async fn() {
    await using temp = await tempDir();
    await queuectl(["add", "true", "--id", "one"], temp);
    await using top = new Terminal(["top"], temp);
    await top.shows(/> one/);
    await top.press("c");
    await top.shows(/Cancel the job one\? \[y\/N\]/);
    await top.press("n");
    await top.shows(/> one +pending[\s\S]*q quit/);
    await top.press("r");
    await top.shows(/Requeue the job one/);
    await top.press("y");
    await top.shows(/cannot requeue job one: it is pending/);
    await top.press("cy");
    await top.shows(/> one +cancelled[\s\S]*Job one is cancelled/);
    await top.press("ry");
    await top.shows(/> one +pending[\s\S]*Job one is pending again/);
    await top.press("\x03");
    assert.equal(await top.ended, 0);
    assertGivenBack(top);
  },
});

Deno.test({
  name: "top gives the terminal back when it is told to end, and follows its size",
  ignore,
  async fn() {
    await using temp = await tempDir();
    await queuectl(["add", "true", "--id", "one"], temp);
    await using top = new Terminal(["top"], temp);
    await top.shows(/> one/);
    await top.resize(34, 12);
    await top.shows(/^\[1 Jobs\][\s\S]*> one/);
    await top.press("?");
    await top.shows(/Everywhere/);
    await top.resize(100, 30);
    await top.shows(/after:2030-12-01/);
    assert.ok(top.screen.widest <= 100);
    Deno.kill(top.pid, "SIGTERM");
    assert.equal(await top.ended, 0);
    assertGivenBack(top);
  },
});

Deno.test({
  name: "top gives the terminal back when it fails",
  ignore,
  async fn() {
    await using temp = await tempDir();
    await queuectl(["add", "true", "--id", "one"], temp);
    await using top = new Terminal(["top"], temp);
    await top.shows(/> one/);
    // A row that no version of the program writes: reading it is a failure that nobody foresaw.
    await rawQuery(temp.db, "UPDATE jobs SET last_error = '{'");
    assert.notEqual(await top.ended, 0);
    assertGivenBack(top);
    assert.match(top.screen.text, /^error: /m);
  },
});

Deno.test({
  name: "what a job carries cannot command the terminal; NO_COLOR leaves no colours",
  ignore,
  async fn() {
    await using temp = await tempDir();
    const evil = "printf '\x1b[2J\x1b]0;gotcha\x07\x1b[31mred'; echo 日本語";
    await queuectl(["add", evil, "--id", "evil"], temp);
    await using _worker = await spawnQueuectl(["worker", "-n", "1"], temp);
    await using top = new Terminal(["top"], { ...temp, rows: 40, env: { NO_COLOR: "1" } });
    await top.shows(/> evil +completed/);
    await top.press("\r");
    // The helper's screen refuses sequences that queuectl does not use.
    await top.shows(/stdout of the last attempt\n.*red日本語/);
    await top.press("qq");
    assert.equal(await top.ended, 0);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(top.written.replace(/^[\s\S]*?\x1b\[\?1049h/, ""), /\x1b\[[\d;]*m|\x07/);
  },
});

Deno.test("without a terminal top says so, and exits 2 before it opens a database", async () => {
  await using temp = await tempDir();
  const { code, stdout, stderr } = await queuectl(["top"], { cwd: temp.dir });
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /top needs a terminal[\s\S]*queuectl status --watch/);
  assert.deepEqual([...Deno.readDirSync(temp.dir)], []);
  assert.equal((await queuectl(["top", "--json"], { cwd: temp.dir })).code, 2);
});

Deno.test({
  name: "status --watch draws in place what other processes do, and ends with Ctrl-C",
  ignore,
  async fn() {
    await using temp = await tempDir();
    await queuectl(["queue", "pause", "mail"], temp);
    await queuectl(["add", "true", "--id", "one", "--delay", "1h"], temp);
    await using watch = new Terminal(["status", "--watch"], temp);
    await watch.shows(/1 pending[\s\S]*no workers[\s\S]*paused: mail/);
    assert.equal(watch.screen.isCursorHidden, true);
    await using worker = await spawnQueuectl(["worker", "-n", "1"], temp);
    await watch.shows(/WORKER[\s\S]*w-1 .* worker +idle/);
    const gate = `${temp.dir}/gate`;
    const command = `until [ -e ${gate} ]; do sleep 0.05; done; exit 3`;
    await queuectl(["add", command, "--id", "two", "--max-retries", "0"], temp);
    await watch.shows(/w-1 .* busy +two/);
    await Deno.writeTextFile(gate, "");
    await watch.shows(/1 dead[\s\S]*LATELY[\s\S]*job.dead +two +w-1 +exit code 3/);
    assert.equal(watch.screen.text.match(/pending {2}/g)?.length, 1, "there is one drawing");
    await watch.press("\x03");
    assert.equal(await watch.ended, 0);
    assertGivenBack(watch);
    assert.match(watch.screen.text, /1 dead/, "the last drawing stays");
    await worker.stop();
  },
});

Deno.test("status --watch --json prints a document with every change, and nothing else", async () => {
  await using temp = await tempDir();
  await using watch = await spawnQueuectl(["status", "--watch", "--json"], {
    ...temp,
    ready: ({ stdout }) => stdout.includes("\n"),
  });
  await queuectl(["add", "true", "--id", "one"], temp);
  const documents = () => watch.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  await eventually(() => documents().at(-1).jobs.pending === 1, { what: "the job is counted" });
  await queuectl(["cancel", "one"], temp);
  await eventually(() => documents().at(-1).jobs.cancelled === 1, { what: "its end is counted" });
  const printed = documents();
  assert.equal(printed.length, 3);
  assert.deepEqual(printed.map(({ total }) => total), [0, 1, 1]);
  assert.match(printed[0].at, /^\d{4}-/);
  assert.equal((await watch.stop("SIGINT")).code, 0);
});

Deno.test("status --watch prints text again and again where there is no terminal", async () => {
  await using temp = await tempDir();
  await using watch = await spawnQueuectl(["status", "--watch"], {
    ...temp,
    ready: ({ stdout }) => stdout.includes("No workers are running."),
  });
  await queuectl(["add", "true", "--id", "one"], temp);
  await eventually(() => /default +1 +0/.test(watch.stdout), { what: "the job is counted" });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(watch.stdout, /\x1b/);
  assert.equal((await watch.stop()).code, 0);
});
