/** Jobs that have to do with each other, and retries of their own, from the command line. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";

async function show(id: string, db: string) {
  const { stdout, stderr, code } = await queuectl(["show", id, "--json"], { db });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("add --after waits for jobs, and list and show say for which", async () => {
  await using temp = await tempDir();
  for (const id of ["a", "b", "c"]) await queuectl(["add", "true", "--id", id], temp);
  const after = ["--after", "a", "--after", "b,c", "--after-on", "any"];
  const { code, stderr } = await queuectl(["add", "true", "--id", "d", ...after], temp);
  assert.equal(code, 0, stderr);
  const job = await show("d", temp.db);
  assert.deepEqual(job.waiting_for, ["a", "b", "c"]);
  assert.ok(job.after.every(({ condition }: { condition: string }) => condition === "any"));
  const list = await queuectl(["list"], temp);
  assert.match(list.stdout, /^d +pending .* after others +waits for a, b, c$/m);
  const text = await queuectl(["show", "d"], temp);
  assert.match(text.stdout, /^Run at +when the jobs that it waits for have ended$/m);
  assert.match(text.stdout, /^After +a \(on any\): not met; b \(on any\): not met; c/m);
});

Deno.test("add --after a job that nobody knows exits 2 and names each", async () => {
  await using temp = await tempDir();
  const { code, stdout, stderr } = await queuectl(["add", "true", "--after", "x,y"], temp);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /no job with the id "x".*no job with the id "y"/s);
  assert.equal((await queuectl(["list", "--json", "--state", "all"], temp)).stdout.trim(), "[]");
});

Deno.test("add after a job that has failed for good says that it is cancelled", async () => {
  await using temp = await tempDir();
  await queuectl(["add", "true", "--id", "a"], temp);
  await queuectl(["cancel", "a"], temp);
  const { stdout, code } = await queuectl(["add", "true", "--id", "b", "--after", "a"], temp);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    "Job cancelled at once, because of a job that it was to wait for, with ID: b\n",
  );
});

Deno.test("add --unique-key returns the job that is there, replaces it, or refuses", async () => {
  await using temp = await tempDir();
  const add = (...flags: string[]) =>
    queuectl(["add", "true", "--unique-key", "sync", ...flags], temp);
  assert.match((await add("--id", "a")).stdout, /^Job enqueued with ID: a\n$/);
  assert.equal((await add()).stdout, "Job exists already with ID: a (pending)\n");
  assert.equal((await add("--quiet")).stdout, "a\n");
  const json = JSON.parse((await add("--json")).stdout);
  assert.deepEqual([json.job_id, json.state, json.existing], ["a", "pending", true]);
  const refused = await add("--on-conflict", "refuse");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the unique key is taken: "sync" by the job a, which is pending/);
  assert.match((await add("--on-conflict", "replace", "--id", "b")).stdout, /ID: b/);
  assert.equal((await show("a", temp.db)).error, "replaced by the job b");
  const requeued = await queuectl(["requeue", "a"], temp);
  assert.equal(requeued.code, 1);
  assert.match(requeued.stderr, /another live job has its unique key "sync"/);
});

Deno.test("add takes a retry policy, and show tells it", async () => {
  await using temp = await tempDir();
  const { code, stderr } = await queuectl([
    ...["add", "true", "--id", "a", "--backoff", "1s,5s,30s", "--jitter", "0.2"],
    ...["--retry-on", "75,111", "--max-age", "1h", "--key", "tenant", "--callback-url"],
    "https://example.com/done",
  ], temp);
  assert.equal(code, 0, stderr);
  const { retry, key, callback_url } = await show("a", temp.db);
  assert.deepEqual(retry.backoff, { type: "list", delays_ms: [1_000, 5_000, 30_000] });
  assert.deepEqual([retry.jitter, retry.retry_on, retry.max_age_ms], [0.2, [75, 111], 3_600_000]);
  assert.deepEqual([key, callback_url], ["tenant", "https://example.com/done"]);
  assert.match(
    (await queuectl(["show", "a"], temp)).stdout,
    /^Retries +1s,5s,30s; each up to 20 % longer or shorter; exit codes 75, 111 only; for at most 1h$/m,
  );
});

Deno.test("every wrong flag of a job is named at once", async () => {
  await using temp = await tempDir();
  const { code, stderr } = await queuectl([
    ...["add", "true", "--backoff", "quadratic", "--jitter", "2", "--retry-on", "0"],
    ...["--max-age", "soon", "--on-conflict", "wait", "--after-on", "any", "--unique-key", ""],
  ], temp);
  assert.equal(code, 2);
  for (
    const field of [
      ...["backoff", "jitter", "retry_on", "max_age", "on_conflict", "after_on", "unique_key"],
    ]
  ) assert.match(stderr, new RegExp(`${field}: `), `${field} is not named`);
});

Deno.test("enqueue takes a chain in any order, and refuses a circle with its line", async () => {
  await using temp = await tempDir();
  const send = (...jobs: unknown[]) => {
    const stdin = jobs.map((job) => `${JSON.stringify(job)}\n`).join("");
    return queuectl(["enqueue", "-"], { ...temp, stdin });
  };
  const command = "true";
  const chain = await send({ id: "b", command, after: "a" }, { id: "a", command });
  assert.equal(chain.code, 0, chain.stderr);
  const circle = await send({ id: "x", command, after: "y" }, { id: "y", command, after: ["x"] });
  assert.equal(circle.code, 2);
  assert.match(circle.stderr, /line 2: after: these jobs wait for each other.*x -> y -> x/);
  const unknown = await send({ id: "z", command }, { command, after: "nobody" });
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /line 2: after: there is no job with the id "nobody"/);
  const twice = await send({ command, unique_key: "k" }, { command, unique_key: "k" });
  assert.match(twice.stderr, /line 2: unique_key: .* stands twice/);
  assert.equal((await queuectl(["show", "z"], temp)).code, 3, "nothing of it was stored");
});
