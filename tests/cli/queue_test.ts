/** `queuectl queue`: pausing and limiting queues from a terminal. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";

Deno.test("queue set limits a queue that never had a job; show and list tell it", async () => {
  await using temp = await tempDir();
  const flags = ["--max-running", "2", "--rate", "10/1m", "--key-max-running", "1"];
  const set = await queuectl(["queue", "set", "mail", ...flags], temp);
  assert.equal(set.code, 0, set.stderr);
  assert.match(set.stdout, /Max running +2\nRate +10\/1m\nMax running per key +1\n/);
  const show = await queuectl(["queue", "show", "mail"], temp);
  assert.match(show.stdout, /State +open\n[^]*Rate +10\/1m\n[^]*none waits/);
  const list = await queuectl(["queue", "list"], temp);
  assert.match(list.stdout, /^mail +open +0 +0 +0 +2 +10\/1m +1 +-$/m);
  const json = JSON.parse((await queuectl(["queue", "list", "--json"], temp)).stdout);
  assert.deepEqual(json[0].rate, { limit: 10, period: "1m", period_ms: 60_000 });
  assert.deepEqual([json[0].max_running, json[0].key_max_running], [2, 1]);
});

Deno.test("queue set leaves alone what is not named, and none takes a limit away", async () => {
  await using temp = await tempDir();
  await queuectl(["queue", "set", "mail", "--max-running", "2", "--rate", "5/1s"], temp);
  const { stdout } = await queuectl(["queue", "set", "mail", "--rate", "none", "--json"], temp);
  const { max_running, rate } = JSON.parse(stdout);
  assert.deepEqual({ max_running, rate }, { max_running: 2, rate: null });
  await queuectl(["queue", "set", "mail", "--max-running", "none"], temp);
  const { code, stderr } = await queuectl(["queue", "show", "mail"], temp);
  assert.equal(code, 3);
  assert.match(stderr, /there is no queue "mail"/);
});

Deno.test("queue pause and resume take several names; status shows what is paused", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "true", "--queue", "mail"], temp);
  const pause = await queuectl(["queue", "pause", "mail", "later", "mail"], temp);
  assert.equal(pause.code, 0, pause.stderr);
  assert.equal(
    pause.stdout,
    "Queue mail is paused; what runs goes on\nQueue later is paused; what runs goes on\n",
  );
  assert.match((await queuectl(["status"], temp)).stdout, /^mail \(paused\) +1 /m);
  const shown = JSON.parse((await queuectl(["queue", "show", "mail", "--json"], temp)).stdout);
  assert.equal(shown.paused, true);
  assert.equal(shown.jobs.pending, 1);
  const resume = await queuectl(["queue", "resume", "mail", "--json"], temp);
  assert.equal(JSON.parse(resume.stdout)[0].paused, false);
  assert.match((await queuectl(["queue", "list"], temp)).stdout, /^later +paused/m);
  const audit = JSON.parse((await queuectl(["audit", "--json"], temp)).stdout);
  assert.deepEqual(
    audit.map(({ action, target }: Record<string, string>) => `${action} ${target}`),
    ["queue.resume mail", "queue.pause later", "queue.pause mail"],
  );
});

for (
  const [args, message] of [
    [["set", "mail"], /expected at least one of --max-running, --rate, --key-max-running/],
    [["set", "mail", "--max-running", "0"], /--max-running: expected a whole number from 1/],
    [["set", "mail", "--max-running", "many"], /--max-running: expected .*, or none, got "many"/],
    [["set", "mail", "--rate", "10"], /--rate: expected a number of jobs and a period such as/],
    [["set", "mail", "--rate", "10/1y"], /--rate: expected .* got "10\/1y"/],
    [
      ["set", "mail", "--rate", "1/1ms", "--max-running", "x"],
      /2 things are wrong: .*--max-running: .*--rate: /,
    ],
    [["set", "bad name", "--max-running", "1"], /expected a queue's name of 1 to 64 characters/],
    [["pause", "fine", "bad name"], /expected a queue's name .* got "bad name"/],
    [["pause"], /name/],
    [["set", "mail", "--max-runing", "1"], /--max-running/],
    [["paus", "mail"], /pause/],
  ] as const
) {
  Deno.test(`queuectl queue ${args.join(" ")} is refused with what was expected`, async () => {
    await using temp = await tempDir();
    const { code, stdout, stderr } = await queuectl(["queue", ...args], temp);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr.replaceAll("\n", " "), message);
    assert.doesNotMatch(stderr, /\.ts:\d/);
    const { stdout: list } = await queuectl(["queue", "list", "--json"], temp);
    assert.deepEqual(JSON.parse(list), [], "nothing was changed");
  });
}
