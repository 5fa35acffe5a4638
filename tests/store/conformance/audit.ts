/** The promises of the audit log: who did what, to what, when, and what came of it. */
import assert from "node:assert/strict";
import { AUDIT_KEPT, type JobStore } from "../../../src/store/store.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { buryOne, claimOne, type Suite } from "./harness.ts";

const signed = { by: "ann", atMs: T0 + 7 };

/** What the log says, oldest first, without numbers. */
async function told(store: JobStore) {
  const entries = await store.audit({ limit: 100 });
  return entries.map(({ seq: _, ...entry }) => entry).reverse();
}

function entry(action: string, target: string, outcome = "done", detail: string | null = null) {
  return { atMs: T0 + 7, by: "ann", action, target, outcome, detail };
}

export function auditPromises({ test }: Suite): void {
  test("changes to jobs are told with what came of them; missing jobs are not", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await store.cancel("a", T0, signed);
    await store.cancel("a", T0, signed);
    await store.requeue("a", T0, signed);
    await store.requeue("a", T0, signed);
    await claimOne(store);
    await store.cancel("a", T0, signed);
    await store.remove("a", T0, signed);
    await store.remove("nobody", T0, signed);
    assert.deepEqual(await told(store), [
      entry("cancel", "a"),
      entry("cancel", "a", "refused", "the job is cancelled"),
      entry("requeue", "a"),
      entry("requeue", "a", "refused", "the job is pending"),
      entry("cancel", "a", "requested"),
      entry("delete", "a", "refused", "the job is started"),
    ]);
  });

  test("a deletion is told although the job is gone", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await store.remove("a", T0, signed);
    assert.deepEqual(await told(store), [entry("delete", "a")]);
  });

  test("changes to the dead-letter queue are told with the number of jobs", async (store) => {
    await store.requeueDead(T0, 10, signed);
    await store.add([newJob(), newJob()], T0);
    await buryOne(store);
    await buryOne(store);
    await store.requeueDead(T0, 10, signed);
    await buryOne(store);
    await store.purgeDead(10, signed);
    assert.deepEqual(await told(store), [
      entry("dlq.retry", "2 dead jobs"),
      entry("dlq.purge", "1 dead job"),
    ]);
  });

  test("changes of settings and tokens are told, without the token's hash", async (store) => {
    const hash = new Uint8Array(32).fill(7);
    const dates = { createdAtMs: T0, expiresAtMs: null };
    await store.configSet("max-retries", "5", signed);
    await store.configUnset("max-retries", signed);
    await store.configUnset("max-retries", signed);
    const token = { id: "t1", name: "ci", hash, scopes: ["read", "admin"] as const, ...dates };
    await store.createToken(token, signed);
    await store.createToken({ ...token, id: "t2", hash: new Uint8Array(32) }, signed);
    await store.revokeToken("t1", signed);
    await store.revokeToken("t1", signed);
    assert.deepEqual(await told(store), [
      entry("config.set", "max-retries", "done", "5"),
      entry("config.unset", "max-retries"),
      entry("token.create", "t1 ci", "done", "read,admin"),
      entry("token.revoke", "t1 ci"),
    ]);
  });

  test("audit() pages from the newest to the oldest", async (store) => {
    for (const value of ["1", "2", "3"]) await store.configSet("max-retries", value, signed);
    const [third, second] = await store.audit({ limit: 2 });
    assert.deepEqual([third!.detail, second!.detail], ["3", "2"]);
    const rest = await store.audit({ limit: 2, beforeSeq: second!.seq });
    assert.deepEqual(rest.map(({ detail }) => detail), ["1"]);
  });

  test("only the newest entries are kept", async (store) => {
    const more = 10;
    const jobs = newJobs(AUDIT_KEPT + more);
    await store.add(jobs, T0);
    await Promise.all(jobs.map(({ id }) => store.cancel(id, T0, signed)));
    const entries = await store.audit({ limit: AUDIT_KEPT + more });
    assert.equal(entries.length, AUDIT_KEPT);
    assert.equal(entries.at(-1)!.seq, more + 1);
  });
}
