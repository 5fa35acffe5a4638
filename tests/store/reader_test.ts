/**
 * What reads promise although those of one turn share a read transaction: they see what was written,
 * by whomever, hold up nobody, and outlive an error.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { newJob, T0 } from "../helpers/jobs.ts";
import { tempStore } from "../helpers/temp_store.ts";

/** Ends the turn of the event loop: a timer alone may come before the immediates of this turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(() => setImmediate(resolve)));
}

Deno.test("sqlite: a read that comes after a write was asked for does not stand in its way", async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const job = newJob();
  const added = store.add([job], T0);
  const meanwhile = store.find(job.id);
  assert.equal(await meanwhile, null);
  await added;
  assert.equal((await store.find(job.id))?.id, job.id);
});

Deno.test("sqlite: what another process has written is seen in the next turn", async () => {
  await using temp = await tempStore();
  const other = await temp.openAgain();
  const job = newJob();
  for (let turn = 0; turn < 5; turn++) await temp.store.find(job.id);
  await other.add([job], T0);
  await nextTurn();
  assert.equal((await temp.store.find(job.id))?.id, job.id);
});

Deno.test("sqlite: after the turn no read is left open that would keep the WAL from being emptied", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob()], T0);
  const snapshot = await temp.store.list({ limit: 10 });
  assert.equal(snapshot.jobs.length, 1);
  await nextTurn();
  const database = new DatabaseSync(temp.path);
  try {
    const checkpoint = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    assert.deepEqual({ ...checkpoint }, { busy: 0, log: 0, checkpointed: 0 });
  } finally {
    database.close();
  }
});

Deno.test("sqlite: reads and writes mixed in one turn all succeed, and closing amid reads does", async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const jobs = Array.from({ length: 50 }, () => newJob());
  const found = await Promise.all(jobs.flatMap((job) => [
    store.find(job.id),
    store.add([job], T0).then(() => store.find(job.id)),
  ]));
  assert.equal(found.filter((job) => job !== null).length, 50);
  const again = await temp.openAgain();
  const reading = again.find(jobs[0]!.id);
  await again[Symbol.asyncDispose]();
  assert.equal((await reading)?.id, jobs[0]!.id);
});
