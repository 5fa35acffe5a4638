/** Letting go of finished jobs from the command line: what would go, what goes, what is refused. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";
import { newJob, newJobs } from "../helpers/jobs.ts";
import { openStore } from "../../src/store/open.ts";

const DAY = 86_400_000;

/** A database with jobs that were cancelled two days ago and just now, and a pending one. */
async function fill(db: string): Promise<{ old: string[]; recent: string; pending: string }> {
  await using store = await openStore({
    db,
    driver: "builtin",
    clock: Date.now,
    synchronous: () => "normal",
  });
  const nowMs = Date.now();
  const old = newJobs(20, { payload: JSON.stringify("x".repeat(50_000)) });
  await store.add(old, nowMs - 3 * DAY);
  for (const { id } of old) await store.cancel(id, nowMs - 2 * DAY);
  const [recent, pending] = [newJob(), newJob()];
  await store.add([recent, pending], nowMs - 3 * DAY);
  await store.cancel(recent.id, nowMs);
  return { old: old.map(({ id }) => id), recent: recent.id, pending: pending.id };
}

Deno.test("prune --dry-run says what would go, and nothing goes", async () => {
  await using temp = await tempDir();
  await fill(temp.db);
  const args = ["prune", "--dry-run", "--older-than", "1d"];
  const { code, stdout } = await queuectl(args, temp);
  assert.deepEqual([code, stdout], [0, "Would delete 20 finished jobs: 20 cancelled\n"]);
  const { stdout: json } = await queuectl([...args, "--json"], temp);
  const { dry_run, deleted, would_delete } = JSON.parse(json);
  assert.deepEqual([dry_run, deleted, would_delete.cancelled], [true, 0, 20]);
  const listed = await queuectl(["list", "--state", "all", "--json"], temp);
  assert.equal(JSON.parse(listed.stdout).length, 22);
});

Deno.test("prune deletes what is old enough, and the audit log tells", async () => {
  await using temp = await tempDir();
  const { recent, pending } = await fill(temp.db);
  const kept = await queuectl(["prune"], temp);
  assert.equal(kept.stdout, "Deleted 0 finished jobs\n", "the settings keep them for a week");
  const { code, stdout, stderr } = await queuectl(["prune", "--older-than", "1d"], temp);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "Deleted 20 finished jobs: 20 cancelled\n");
  const listed = await queuectl(["list", "--state", "all", "--json"], temp);
  assert.deepEqual(JSON.parse(listed.stdout).map(({ id }: { id: string }) => id), [
    pending,
    recent,
  ]);
  const { stdout: audit } = await queuectl(["audit", "--json"], temp);
  assert.deepEqual(
    JSON.parse(audit).map(({ action, target }: Record<string, string>) => `${action} ${target}`)[0],
    "prune completed older than 1d, cancelled older than 1d",
  );
});

Deno.test("the settings of retention count for prune, as flags and from the database", async () => {
  await using temp = await tempDir();
  await fill(temp.db);
  const dry = async (...args: string[]) =>
    (await queuectl(["prune", "--dry-run", ...args], temp)).stdout.trim();
  assert.equal(await dry("--keep-cancelled", "0s"), "Would delete 21 finished jobs: 21 cancelled");
  assert.equal(await dry("--keep-jobs", "5"), "Would delete 16 finished jobs: 16 cancelled");
  await queuectl(["config", "set", "keep-cancelled", "1d"], temp);
  assert.equal(await dry(), "Would delete 20 finished jobs: 20 cancelled");
  assert.equal(await dry("--keep-cancelled", "forever"), "Would delete 0 finished jobs");
  assert.equal(await dry("--state", "completed,dead"), "Would delete 0 finished jobs");
});

Deno.test("prune refuses what it does not understand", async () => {
  await using temp = await tempDir();
  const refused = async (...args: string[]) => {
    const { code, stderr } = await queuectl(["prune", ...args], temp);
    assert.equal(code, 2, args.join(" "));
    return stderr;
  };
  assert.match(await refused("--older-than", "soon"), /--older-than: expected a duration/);
  assert.match(await refused("--state", "pending"), /--state: expected all, or one or more of/);
  assert.match(await refused("--keep-dead", "never"), /--keep-dead: expected .*, or forever/);
});
