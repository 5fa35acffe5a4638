/** Changing jobs and settings from the command line. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";
import { openStore } from "../../src/store/open.ts";
import { buryOne } from "../store/conformance/harness.ts";
import { fillStore } from "./fill_store.ts";

async function stateOf(id: string, db: string): Promise<string> {
  return JSON.parse((await queuectl(["show", id, "--json"], { db })).stdout).state;
}

Deno.test("cancel tries every job, reports each, and exits with the worst code", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const all = await queuectl(["cancel", "mail-1", "nope", "count-1", "mail-2"], temp);
  assert.equal(all.code, 3);
  assert.equal(all.stdout, "Job mail-1 is cancelled\nJob mail-2 is cancelled\n");
  assert.match(all.stderr, /no job with the id "nope"/);
  assert.match(all.stderr, /cannot cancel job count-1: it is completed/);
  assert.equal(await stateOf("mail-2", temp.db), "cancelled");
  assert.equal((await queuectl(["cancel", "count-1"], temp)).code, 1);
  assert.equal((await queuectl(["cancel", "later", "later"], temp)).code, 0);
});

Deno.test("commands on several jobs print one JSON document", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const { code, stdout } = await queuectl(["requeue", "dead-1", "gone", "nope", "--json"], temp);
  assert.equal(code, 3);
  const [dead, gone, nope] = JSON.parse(stdout);
  assert.deepEqual(dead, { id: "dead-1", job_id: "dead-1", ok: true, state: "pending" });
  assert.deepEqual([gone.ok, gone.state], [true, "pending"]);
  assert.deepEqual([nope.ok, typeof nope.error], [false, "string"]);
});

Deno.test("requeue gives a dead or cancelled job a fresh set of attempts, and no other", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  assert.equal((await queuectl(["requeue", "dead-1", "gone"], temp)).code, 0);
  const job = JSON.parse((await queuectl(["show", "dead-1", "--json"], temp)).stdout);
  assert.deepEqual([job.state, job.attempts, job.max_retries], ["pending", 0, 1]);
  const refused = await queuectl(["requeue", "dead-1", "count-1"], temp);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /cannot requeue job count-1: it is completed/);
});

Deno.test("dlq retry takes dead jobs only, some or all", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const other = await queuectl(["dlq", "retry", "gone", "dead-1"], temp);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /cannot retry job gone: it is cancelled; expected a dead one/);
  assert.equal(other.stdout, "Job dead-1 is pending again\n");
  assert.equal(await stateOf("gone", temp.db), "cancelled");
  const none = await queuectl(["dlq", "retry", "--all"], temp);
  assert.equal(none.stdout, "Requeued 0 dead jobs\n");
});

Deno.test("dlq retry --all and dlq purge do not ask without a terminal", async () => {
  await using temp = await tempDir();
  await fillStore(temp.db);
  const retried = await queuectl(["dlq", "retry", "--all", "--json"], temp);
  assert.deepEqual(JSON.parse(retried.stdout), { requeued: 1, left_unique_key_taken: 0 });

  await using other = await tempDir();
  await fillStore(other.db);
  const purged = await queuectl(["dlq", "purge"], other);
  assert.deepEqual([purged.code, purged.stdout], [0, "Deleted 1 dead job\n"]);
  assert.equal((await queuectl(["show", "dead-1"], other)).code, 3);
  assert.equal((await queuectl(["list", "--json"], other)).stdout.match(/"id"/g)?.length, 4);
});

Deno.test("config set, get, list and unset agree on a setting", async () => {
  await using temp = await tempDir();
  const get = async (env: Record<string, string> = {}) =>
    (await queuectl(["config", "get", "backoff-base"], { ...temp, env })).stdout;
  assert.equal(await get(), "2\n");
  const set = await queuectl(["config", "set", "backoff-base", "1.5"], temp);
  assert.equal(set.stdout, "backoff-base = 1.5\n");
  assert.equal(await get(), "1.5\n");
  assert.equal(await get({ QUEUECTL_BACKOFF_BASE: "9" }), "9\n");
  const list = JSON.parse((await queuectl(["config", "list", "--json"], temp)).stdout);
  assert.deepEqual(
    list.find(({ key }: { key: string }) => key === "backoff-base"),
    { key: "backoff-base", value: "1.5", source: "config", default: "2" },
  );
  const unset = await queuectl(["config", "unset", "backoff-base"], temp);
  assert.equal(unset.stdout, "backoff-base is no longer stored\n");
  assert.equal(await get(), "2\n");
  assert.equal((await queuectl(["config", "unset", "backoff-base"], temp)).code, 0);
});

Deno.test("config get tells what follows from another setting", async () => {
  await using temp = await tempDir();
  await queuectl(["config", "set", "lease", "9s"], temp);
  assert.equal((await queuectl(["config", "get", "heartbeat"], temp)).stdout, "3s\n");
  assert.equal((await queuectl(["config", "get", "job-timeout"], temp)).stdout, "none\n");
});

Deno.test("dlq retry --all says how many it left, because a live job has their unique key", async () => {
  await using temp = await tempDir();
  const add = (id: string) =>
    queuectl(["add", "false", "--id", id, "--unique-key", "k", "--max-retries", "0"], temp);
  {
    await using store = await openStore({
      db: temp.db,
      driver: "builtin",
      clock: Date.now,
      synchronous: () => "normal",
    });
    for (const id of ["a", "b"]) {
      assert.equal((await add(id)).code, 0);
      await buryOne(store, Date.now() + 1_000);
    }
  }
  const { code, stdout } = await queuectl(["dlq", "retry", "--all"], temp);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^Requeued 1 dead job; 1 left, because a live job has the same unique key$/m,
  );
  const again = await queuectl(["dlq", "retry", "--all", "--json"], temp);
  assert.deepEqual(JSON.parse(again.stdout), { requeued: 0, left_unique_key_taken: 1 });
});
