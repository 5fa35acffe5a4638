/**
 * A queue in which something stands in every table that a move takes along, and all that its public
 * methods tell of it. Knows no backend.
 */
import assert from "node:assert/strict";
import type { Job } from "../../src/job/job.ts";
import type { JobStore } from "../../src/store/store.ts";
import { claim, claimJobs, EXIT_ERROR, HOLDER, settleOne } from "../store/conformance/harness.ts";
import { newExtras, newJob, T0 } from "./jobs.ts";

const HOUR = 3_600_000;
const SIGNED = { by: "cli:ann", atMs: T0 };

/** The job that a worker holds when the queue has been filled. */
export const RUNNING_ID = "running";

/** Fills an empty store as of {@link T0}. */
export async function fillQueue(store: JobStore): Promise<void> {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);
  const claimNamed = async (id: string) => {
    const job = (await claimJobs(store)).find((claimed) => claimed.id === id);
    assert.ok(job, `${id} was to be claimed`);
    return job;
  };
  // Finished in all ways, with output, attempts, a webhook.
  const hook = newExtras({ options: { callbackUrl: "https://hooks.example/in" } });
  await store.add([
    newJob({ id: "told", extras: hook, kind: "command", payload: '{"a":"é😀\\u0000"}' }),
  ], T0);
  await store.webhookSecrets("whsec_c2VjcmV0c2VjcmV0c2VjcmV0", T0);
  const told = await claimNamed("told");
  await store.begin([told], HOLDER, T0);
  await settleOne(store, told, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 }, {
    output: [
      { stream: "stdout", bytes: bytes(1_000) },
      { stream: "stderr", bytes: new Uint8Array() },
    ],
  });
  await settleOne(store, await claimNamed("told"), { event: "complete", result: '{"n":1.5}' }, {
    output: [{ stream: "stdout", bytes: bytes(70_000) }],
  });
  await store.add([newJob({ id: "buried", payload: bytes(5_000), maxRetries: 0 })], T0);
  await settleOne(store, await claimNamed("buried"), { event: "bury", error: EXIT_ERROR });
  await store.add([newJob({ id: "cancelled", payload: "x".repeat(3_000) })], T0);
  await store.cancel("cancelled", T0, SIGNED);
  await store.add([newJob({ id: "removed" })], T0);
  await store.cancel("removed", T0);

  // Files: of a job, and one that is still being written.
  const file = {
    role: "input",
    name: "näme.txt",
    mediaType: "text/plain",
    expectedBytes: 0,
  } as const;
  const input = await store.beginFile(file, T0);
  await store.appendFile({ file: input, n: 0, bytes: bytes(512 * 1024) }, T0);
  await store.appendFile({ file: input, n: 1, bytes: bytes(3) }, T0);
  await store.add(
    [newJob({ id: "filed", queue: "files", extras: newExtras({ fileId: input }) })],
    T0,
  );
  const open = await store.beginFile({ ...file, name: "open" }, T0);
  await store.appendFile({ file: open, n: 0, bytes: bytes(10) }, T0);

  // Waiting in all ways.
  const once = { caller: "t-1", key: "k", fingerprint: bytes(32) };
  await store.add([newJob({ id: "once", runAtMs: T0 + HOUR })], T0, {
    mostWaiting: null,
    request: once,
  });
  await store.add([
    newJob({
      id: "only",
      runAtMs: T0 + HOUR,
      extras: newExtras({
        key: "customer",
        options: { uniqueKey: "u", retry: { jitter: 0.25 } },
        unique: { key: "u", onConflict: "return" },
      }),
    }),
    newJob({ id: "after", extras: newExtras({ after: { ids: ["only", "told"], on: "success" } }) }),
  ], T0);
  await store.addSchedule({
    schedule: {
      name: "nightly",
      timing: { type: "cron", cron: "0 3 * * *", tz: "Europe/Berlin" },
      catchUp: "once",
      overlap: "skip",
      job: '{"command":"true"}',
    },
    nextAtMs: T0 + HOUR,
    nowMs: T0,
    isReplacing: false,
  }, SIGNED);
  await store.changeQueue("paced", { rate: { limit: 2, periodMs: HOUR } }, T0, SIGNED);
  await store.changeQueue("files", { isPaused: true, maxRunning: 3 }, T0);
  await store.add([newJob({ id: "paced", queue: "paced" })], T0);
  await settleOne(store, await claimNamed("paced"), { event: "complete", result: "null" });

  // What is kept beside jobs.
  await store.configSet("max-retries", "7", SIGNED);
  await store.createToken({
    ...{ id: "t-1", name: "ci", hash: bytes(32), scopes: ["read"] },
    ...{ createdAtMs: T0, expiresAtMs: null },
  }, SIGNED);
  await store.saveKinds(["resize", "mail"], T0);
  await store.changeAlert({
    ...{ name: "dead-jobs", isFiring: true, event: "alert.firing" },
    ...{ url: "https://hooks.example/alert", body: "{}" },
  }, T0);
  await store.addMetrics([
    { name: "job_wait_seconds", label: "default", part: "0.1", value: 3 },
    { name: "job_wait_seconds", label: "default", part: "sum", value: 0.1 + 0.2 },
  ]);

  // Somebody follows, and a worker runs a job.
  await store.follow(T0 + HOUR);
  await store.remove("removed", T0, SIGNED);
  await store.add([newJob({ id: RUNNING_ID })], T0);
  const running = await claimNamed(RUNNING_ID);
  await store.begin([running], HOLDER, T0);
  await store.saveProgress(running, HOLDER, { value: 1 / 3, text: "a third", atMs: T0 });
  await claim(store, { free: 0 });
}

/** All that the store tells, as of {@link T0}. */
export async function contentOf(store: JobStore): Promise<unknown> {
  const jobs: Job[] = [];
  let beforeSeq: number | undefined;
  while (true) {
    const page = await store.list({ limit: 100, beforeSeq });
    jobs.push(...page.jobs);
    if (page.nextSeq === null) break;
    beforeSeq = page.nextSeq;
  }
  const told = await Promise.all(jobs.map(async (job) => {
    const attempts = await store.attempts(job.seq);
    const tokens = [...attempts.map(({ token }) => token), job.token];
    const files = await store.files(job.seq);
    return {
      job,
      attempts,
      payload: await store.payload(job.seq),
      output: await Promise.all(tokens.map((token) => store.output({ seq: job.seq, token }))),
      progress: await store.progress(job),
      dependencies: await store.dependencies(job.seq),
      files,
      pieces: await Promise.all(
        files.flatMap(({ file }) => [0, 1].map((n) => store.filePiece(file, n))),
      ),
    };
  }));
  const { deliveries } = await store.deliveries({ limit: 100 });
  return {
    told,
    deliveries: await Promise.all(deliveries.map(({ id }) => store.delivery(id))),
    secrets: await store.webhookSecrets("another", T0),
    stats: await store.stats(T0),
    history: await store.history({ nowMs: T0, steps: 4, stepMs: 10_000 }),
    standing: await store.standing({ queue: "paced", key: null, nowMs: T0 }),
    schedules: await store.schedules(),
    config: [...await store.configAll()].sort(),
    tokens: await store.tokens(),
    audit: await store.audit({ limit: 100 }),
    kinds: await store.kinds(),
    alerts: await store.alerts(),
    metrics: await store.metrics(),
  };
}
