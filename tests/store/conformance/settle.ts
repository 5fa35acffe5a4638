/** The promises of `settle()`: what each outcome makes of the job, its attempts and its output. */
import assert from "node:assert/strict";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  bytesOf,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  settleOne,
  type Suite,
} from "./harness.ts";

const END = T0 + 250;

export function settlePromises({ test }: Suite): void {
  test("complete: the job is completed, with its result, once and for all", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    const outcome = { event: "complete", result: '{"characters":3}' } as const;
    assert.equal(await settleOne(store, job, outcome, { nowMs: END }), "settled");
    const stored = await find(store, "a");
    assert.equal(stored.state, "completed");
    assert.equal(stored.result, '{"characters":3}');
    assert.equal(stored.attempts, 0);
    assert.equal(stored.startedAtMs, T0);
    assert.equal(stored.finishedAtMs, END);
    assert.equal(stored.updatedAtMs, END);
    assert.deepEqual(await store.attempts(job.seq), []);
  });

  test("complete is accepted from processing as well as from started", async (store) => {
    await store.add(newJobs(2), T0);
    const jobs = await claimJobs(store, { free: 2 });
    await store.begin([jobs[0]!], HOLDER, T0);
    for (const job of jobs) {
      assert.equal(await settleOne(store, job, { event: "complete", result: "1" }), "settled");
    }
  });

  test("fail: the job waits for its due time, with the failure counted and kept", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    const exit = { exitCode: 1, signal: null, stdoutBytes: 10, stderrBytes: 0 };
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: END + 2_000, exit } as const;
    assert.equal(await settleOne(store, job, outcome, { nowMs: END }), "settled");
    const stored = await find(store, "a");
    assert.equal(stored.state, "failed");
    assert.equal(stored.attempts, 1);
    assert.equal(stored.runAtMs, END + 2_000);
    assert.deepEqual(stored.lastError, EXIT_ERROR);
    assert.equal(stored.finishedAtMs, null);
    assert.deepEqual(await store.attempts(job.seq), [{
      token: job.token,
      attempt: 1,
      worker: "w-1",
      startedAtMs: T0,
      finishedAtMs: END,
      outcome: "failed",
      error: EXIT_ERROR,
      ...exit,
    }]);
  });

  test("bury: the job is dead, its last failure counted and kept", async (store) => {
    await store.add([newJob({ id: "a", maxRetries: 0 })], T0);
    const job = await claimOne(store);
    const error = { code: "signal", message: "killed by SIGKILL" } as const;
    const exit = { exitCode: null, signal: "SIGKILL", stdoutBytes: 0, stderrBytes: 0 };
    assert.equal(
      await settleOne(store, job, { event: "bury", error, exit }, { nowMs: END }),
      "settled",
    );
    const stored = await find(store, "a");
    assert.equal(stored.state, "dead");
    assert.equal(stored.attempts, 1);
    assert.equal(stored.finishedAtMs, END);
    assert.deepEqual(stored.lastError, error);
    const [attempt] = await store.attempts(job.seq);
    assert.deepEqual([attempt!.outcome, attempt!.exitCode, attempt!.signal], [
      "failed",
      null,
      "SIGKILL",
    ]);
  });

  test("release: the job can be claimed at once, and no attempt was counted", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    await store.begin([job], HOLDER, T0);
    assert.equal(await settleOne(store, job, { event: "release" }, { nowMs: END }), "settled");
    const stored = await find(store, "a");
    assert.equal(stored.state, "pending");
    assert.equal(stored.attempts, 0);
    assert.ok(stored.runAtMs <= END);
    assert.deepEqual(await store.attempts(job.seq), []);
    assert.equal((await claimOne(store, { nowMs: END })).attempts, 0);
  });

  test("release of a job that failed before keeps its failures", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    await settleOne(store, await claimOne(store), {
      event: "fail",
      error: EXIT_ERROR,
      dueAtMs: T0,
    });
    await settleOne(store, await claimOne(store), { event: "release" });
    assert.equal((await find(store, "a")).attempts, 1);
    assert.equal((await claimOne(store)).attempts, 1);
  });

  test("abort: the job is cancelled, and its attempt is kept but not counted as failed", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    const exit = { exitCode: null, signal: "SIGTERM", stdoutBytes: 0, stderrBytes: 0 };
    assert.equal(await settleOne(store, job, { event: "abort", exit }, { nowMs: END }), "settled");
    const stored = await find(store, "a");
    assert.equal(stored.state, "cancelled");
    assert.equal(stored.attempts, 0);
    assert.equal(stored.finishedAtMs, END);
    const attempts = await store.attempts(job.seq);
    assert.deepEqual(
      attempts.map(({ attempt, outcome, error, signal }) => [attempt, outcome, error.code, signal]),
      [[1, "cancelled", "cancelled", "SIGTERM"]],
    );
  });

  test("a job that somebody asked to stop does not run again when its attempt fails", async (store) => {
    await store.add(newJobs(3, { maxRetries: 5 }), T0);
    const [failing, released, buried] = await claimJobs(store, { free: 3 });
    const all = [failing!, released!, buried!];
    for (const { id } of all) await store.cancel(id, T0);
    const exit = { exitCode: 3, signal: null, stdoutBytes: 0, stderrBytes: 0 };
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0, exit } as const;
    assert.equal(await settleOne(store, failing!, outcome), "settled");
    assert.equal(await settleOne(store, released!, { event: "release" }), "settled");
    // Not even from the dead-letter queue.
    assert.equal(await settleOne(store, buried!, { event: "bury", error: EXIT_ERROR }), "settled");
    for (const { id } of all) assert.equal((await find(store, id)).state, "cancelled");
    assert.equal((await store.attempts(failing!.seq))[0]!.exitCode, 3);
    assert.deepEqual(await claimJobs(store, { free: 2, nowMs: T0 + 1e9 }), []);
  });

  test("a job that succeeds although somebody asked to stop it is completed", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    await store.cancel("a", T0);
    await settleOne(store, job, { event: "complete", result: "1" });
    assert.equal((await find(store, "a")).state, "completed");
    assert.deepEqual(await store.cancelRequests(HOLDER), []);
  });

  test("attempts are kept oldest first, over all failures and requeues", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const { seq } = await find(store, "a");
    for (const message of ["one", "two"]) {
      const error = { code: "error", message } as const;
      await settleOne(store, await claimOne(store), { event: "fail", error, dueAtMs: T0 });
    }
    const error = { code: "error", message: "three" } as const;
    await settleOne(store, await claimOne(store), { event: "bury", error });
    await store.requeue("a", T0);
    await settleOne(store, await claimOne(store), { event: "fail", error, dueAtMs: T0 });
    assert.deepEqual(
      (await store.attempts(seq)).map((one) => [one.token, one.attempt, one.error.message]),
      [[1, 1, "one"], [2, 2, "two"], [3, 3, "three"], [4, 1, "three"]],
    );
  });

  test("settle() of many answers for each in order; a lost one harms no other", async (store) => {
    await store.add(newJobs(5), T0);
    const jobs = await claimJobs(store, { free: 5 });
    const ended = [
      { ...jobs[0]!, outcome: { event: "complete", result: "0" } },
      { ...jobs[1]!, token: 77, outcome: { event: "complete", result: "1" } },
      { ...jobs[2]!, outcome: { event: "bury", error: EXIT_ERROR } },
      { ...jobs[3]!, token: 77, outcome: { event: "release" } },
      { ...jobs[4]!, outcome: { event: "complete", result: "4" } },
    ] as const;
    assert.deepEqual(
      (await store.settle(ended, HOLDER, END)).answers,
      ["settled", "lease-lost", "settled", "lease-lost", "settled"],
    );
    const stored = await Promise.all(jobs.map(({ id }) => find(store, id)));
    assert.deepEqual(
      stored.map(({ state, result }) => [state, result]),
      [["completed", "0"], ["started", null], ["dead", null], ["started", null], [
        "completed",
        "4",
      ]],
    );
  });

  test("settle() of nothing is no error", async (store) => {
    assert.deepEqual(await store.settle([], HOLDER, T0), { answers: [], added: [] });
    assert.deepEqual(await store.renew([], HOLDER, { nowMs: T0, expiresAtMs: T0 }), []);
    await store.begin([], HOLDER, T0);
  });

  test("what is settled at once by many calls is all settled", async (store) => {
    await store.add(newJobs(100), T0);
    const jobs = await claimJobs(store, { free: 100 });
    const answers = await Promise.all(
      jobs.map((job) => settleOne(store, job, { event: "complete", result: `"${job.id}"` })),
    );
    assert.deepEqual(new Set(answers), new Set(["settled"]));
    for (const { id } of jobs) assert.equal((await find(store, id)).result, `"${id}"`);
  });

  test("errors are kept whole, whatever characters they hold", async (store) => {
    const messages = [
      "a\0b",
      "\ud800 alone",
      "😀 \u{10FFFF}",
      "'; DROP TABLE jobs",
      "x".repeat(9_999),
      "",
    ];
    for (const message of messages) {
      const id = `m${messages.indexOf(message)}`;
      await store.add([newJob({ id })], T0);
      const error = { code: "error", message } as const;
      const { seq } = await claimOne(store);
      const { token } = await find(store, id);
      await settleOne(store, { seq, token }, { event: "bury", error });
      assert.deepEqual((await find(store, id)).lastError, error);
      assert.deepEqual((await store.attempts(seq))[0]!.error, error);
    }
  });

  test("results are kept whole, whatever characters they hold", async (store) => {
    const values = [
      "a\0b",
      "\ud800",
      "😀",
      "x".repeat(100_000),
      { nested: [null, 1.5, "ü"] },
      null,
    ];
    for (const [index, value] of values.entries()) {
      await store.add([newJob({ id: `r${index}` })], T0);
      const result = JSON.stringify(value);
      await settleOne(store, await claimOne(store), { event: "complete", result });
      assert.equal((await find(store, `r${index}`)).result, result);
    }
  });

  test("output comes back in the order in which it came, byte for byte", async (store) => {
    await store.add([newJob()], T0);
    const job = await claimOne(store);
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const first = { stream: "stdout", bytes: everyByte } as const;
    const second = { stream: "stderr", bytes: bytesOf("oh\0no") } as const;
    const third = { stream: "stdout", bytes: new Uint8Array(300_000).fill(7) } as const;
    const last = { stream: "stderr", bytes: new Uint8Array() } as const;
    assert.equal(await store.appendOutput(job, HOLDER, [first, second]), "settled");
    assert.equal(await store.appendOutput(job, HOLDER, [third]), "settled");
    await settleOne(store, job, { event: "complete", result: "1" }, { output: [last] });
    const chunks = await store.output({ seq: job.seq, token: job.token });
    assert.deepEqual(
      chunks.filter(({ bytes }) => bytes.length > 0).map(({ stream, bytes }) => ({
        stream,
        bytes,
      })),
      [first, second, third],
    );
    const places = chunks.map(({ chunk }) => chunk);
    assert.deepEqual(places, [...new Set(places)].sort((one, other) => one - other));
  });

  test("output can be read by stream, and from a place onwards", async (store) => {
    await store.add([newJob()], T0);
    const job = await claimOne(store);
    const { seq, token } = job;
    const chunk = (stream: "stdout" | "stderr", text: string) => ({ stream, bytes: bytesOf(text) });
    await store.appendOutput(job, HOLDER, [chunk("stdout", "a"), chunk("stderr", "x")]);
    await store.appendOutput(job, HOLDER, [chunk("stdout", "b"), chunk("stderr", "y")]);
    const text = async (query: { stream?: "stdout" | "stderr"; afterChunk?: number }) =>
      (await store.output({ seq, token, ...query }))
        .map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
    assert.equal(await text({ stream: "stdout" }), "ab");
    assert.equal(await text({ stream: "stderr" }), "xy");
    const [, second] = await store.output({ seq, token });
    assert.equal(await text({ afterChunk: second!.chunk }), "by");
    assert.equal(await text({ stream: "stderr", afterChunk: second!.chunk }), "y");
  });

  test("every attempt has its own output", async (store) => {
    await store.add([newJob()], T0);
    const first = await claimOne(store);
    const output = (text: string) => [{ stream: "stdout", bytes: bytesOf(text) }] as const;
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 } as const;
    await settleOne(store, first, outcome, { output: output("one") });
    const second = await claimOne(store);
    await store.appendOutput(second, HOLDER, output("two"));
    for (const [{ seq, token }, expected] of [[first, "one"], [second, "two"]] as const) {
      const [chunk] = await store.output({ seq, token });
      assert.equal(new TextDecoder().decode(chunk!.bytes), expected);
    }
  });
}
