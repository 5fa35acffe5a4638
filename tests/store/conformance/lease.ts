/**
 * The fencing: everything written for an attempt is accepted only from the current holder under the
 * current token. Each way to lose a lease is tried with each way to write.
 */
import assert from "node:assert/strict";
import type { Lease } from "../../../src/job/job.ts";
import type { Outcome } from "../../../src/job/outcome.ts";
import type { JobStore, Settled } from "../../../src/store/store.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import {
  bytesOf,
  claimJobs,
  claimOne,
  EXIT_ERROR,
  find,
  HOLDER,
  LEASE_MS,
  reap,
  settleOne,
  snapshot,
  type Suite,
} from "./harness.ts";

const LATER = T0 + LEASE_MS + 5_000;
const OUTPUT = [{ stream: "stdout", bytes: bytesOf("too late") }] as const;

/** Who writes, and under which lease. */
interface Writer {
  readonly lease: Lease;
  readonly holder: string;
}

/** Ways in which a writer comes to hold no lease. */
const LOSSES: Record<string, (store: JobStore, lease: Lease) => Promise<Writer>> = {
  "an older token": (_, { seq, token }) =>
    Promise.resolve({ lease: { seq, token: token - 1 }, holder: HOLDER }),
  "a token of the future": (_, { seq, token }) =>
    Promise.resolve({ lease: { seq, token: token + 1 }, holder: HOLDER }),
  "another holder": (_, lease) => Promise.resolve({ lease, holder: "process-b" }),
  "a job that does not exist": (_, { token }) =>
    Promise.resolve({ lease: { seq: 999_999, token }, holder: HOLDER }),
  "a lease that was reaped": async (store, lease) => {
    await reap(store);
    return { lease, holder: HOLDER };
  },
  "a lease that was reaped, and the job claimed again by the same process": async (
    store,
    lease,
  ) => {
    await reap(store);
    await claimOne(store, { nowMs: LATER });
    return { lease, holder: HOLDER };
  },
  "a lease that was reaped, and the job claimed again by another": async (store, lease) => {
    await reap(store);
    await claimOne(store, { nowMs: LATER, holder: "process-b" });
    return { lease, holder: HOLDER };
  },
  "a lease that was given back": async (store, lease) => {
    await settleOne(store, lease, { event: "release" });
    return { lease, holder: HOLDER };
  },
  "a lease whose attempt completed": async (store, lease) => {
    await settleOne(store, lease, { event: "complete", result: '"first"' });
    return { lease, holder: HOLDER };
  },
  "a lease whose attempt failed": async (store, lease) => {
    await settleOne(store, lease, { event: "fail", error: EXIT_ERROR, dueAtMs: LATER });
    return { lease, holder: HOLDER };
  },
  "a lease whose job died": async (store, lease) => {
    await settleOne(store, lease, { event: "bury", error: EXIT_ERROR });
    return { lease, holder: HOLDER };
  },
  "a lease whose job was cancelled": async (store, lease) => {
    await settleOne(store, lease, { event: "abort" });
    return { lease, holder: HOLDER };
  },
  "a lease whose job died, was requeued and claimed again": async (store, lease) => {
    await settleOne(store, lease, { event: "bury", error: EXIT_ERROR });
    await store.requeue("fenced", T0);
    await claimOne(store);
    return { lease, holder: HOLDER };
  },
  "a lease whose job was cancelled and removed": async (store, lease) => {
    await settleOne(store, lease, { event: "abort" });
    await store.remove("fenced", T0);
    return { lease, holder: HOLDER };
  },
};

const OUTCOMES: readonly Outcome[] = [
  { event: "complete", result: '"late"', followUps: [newJob({ id: "too-late" })] },
  { event: "fail", error: EXIT_ERROR, dueAtMs: T0 },
  { event: "bury", error: EXIT_ERROR },
  { event: "release" },
  { event: "abort" },
];

type Write = (store: JobStore, writer: Writer) => Promise<Settled | "silent">;

/** Ways to write for an attempt. */
const WRITES: Record<string, Write> = {
  begin: async (store, { lease, holder }) => {
    await store.begin([lease], holder, LATER);
    return "silent";
  },
  renew: async (store, { lease, holder }) => {
    const times = { nowMs: LATER, expiresAtMs: LATER + LEASE_MS };
    return (await store.renew([lease], holder, times))[0]!;
  },
  appendOutput: (store, { lease, holder }) => store.appendOutput(lease, holder, OUTPUT),
  saveProgress: (store, { lease, holder }) =>
    store.saveProgress(lease, holder, { value: 0.5, text: "too late", atMs: LATER }),
  ...Object.fromEntries(OUTCOMES.map((outcome): [string, Write] => [
    `settle ${outcome.event}`,
    (store, { lease, holder }) =>
      settleOne(store, lease, outcome, { holder, nowMs: LATER, output: OUTPUT }),
  ])),
};

export function leasePromises({ test }: Suite): void {
  for (const [loss, lose] of Object.entries(LOSSES)) {
    test(`under ${loss}, no write is accepted and nothing changes`, async (store) => {
      await store.add([newJob({ id: "fenced", maxRetries: 5 })], T0);
      const writer = await lose(store, await claimOne(store));
      const before = await snapshot(store);
      for (const [name, write] of Object.entries(WRITES)) {
        const answer = await write(store, writer);
        assert.ok(answer === "lease-lost" || answer === "silent", `${name}: ${answer}`);
        assert.deepEqual(await snapshot(store), before, name);
      }
    });
  }

  test("an expired lease that nobody has taken back still holds", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const job = await claimOne(store);
    const nowMs = T0 + 10 * LEASE_MS;
    assert.equal(
      await settleOne(store, job, { event: "complete", result: "1" }, { nowMs }),
      "settled",
    );
    assert.equal((await find(store, "a")).state, "completed");
  });

  test("begin() marks attempts as running, and leaves alone those that run or are lost", async (store) => {
    await store.add(newJobs(3), T0);
    const [first, second, third] = await claimJobs(store, { free: 3 });
    await store.begin([first!, { ...second!, token: 99 }], HOLDER, T0 + 1);
    const states = await Promise.all(
      [first!, second!, third!].map(async ({ id }) => (await find(store, id)).state),
    );
    assert.deepEqual(states, ["processing", "started", "started"]);
    await store.begin([first!], HOLDER, T0 + 2);
    assert.equal((await find(store, first!.id)).state, "processing");
  });

  test("renew() prolongs the leases that hold and tells which do not, in order", async (store) => {
    await store.add(newJobs(3), T0);
    const [first, second, third] = await claimJobs(store, { free: 3 });
    await store.begin([second!], HOLDER, T0);
    await settleOne(store, third!, { event: "complete", result: "1" });
    const times = { nowMs: T0 + 10_000, expiresAtMs: T0 + 40_000 };
    const answers = await store.renew([third!, first!, second!], HOLDER, times);
    assert.deepEqual(answers, ["lease-lost", "settled", "settled"]);
    assert.equal((await find(store, first!.id)).leaseExpiresAtMs, T0 + 40_000);
    assert.equal((await find(store, second!.id)).leaseExpiresAtMs, T0 + 40_000);
    assert.deepEqual(await reap(store), []);
  });

  test("renew() tells an old lease from the current one of the same job and holder", async (store) => {
    await store.add([newJob()], T0);
    const old = await claimOne(store);
    await reap(store);
    const current = await claimOne(store, { nowMs: LATER });
    const times = { nowMs: LATER, expiresAtMs: LATER + LEASE_MS };
    assert.deepEqual(await store.renew([old, current], HOLDER, times), ["lease-lost", "settled"]);
    assert.deepEqual(await store.renew([current, old], HOLDER, times), ["settled", "lease-lost"]);
  });

  test("settle() tells an old lease from the current one of the same job and holder", async (store) => {
    for (const isOldFirst of [true, false]) {
      const id = `job-${isOldFirst}`;
      await store.add([newJob({ id })], T0);
      const old = await claimOne(store);
      await reap(store);
      const current = await claimOne(store, { nowMs: LATER });
      const ended = [
        { ...old, outcome: { event: "complete", result: '"old"' }, output: OUTPUT },
        { ...current, outcome: { event: "complete", result: '"current"' } },
      ] as const;
      const inOrder = isOldFirst ? ended : ended.toReversed();
      const { answers } = await store.settle(inOrder, HOLDER, LATER);
      const expected = ["lease-lost", "settled"];
      assert.deepEqual(answers, isOldFirst ? expected : expected.toReversed());
      assert.equal((await find(store, id)).result, '"current"');
      assert.deepEqual(await store.output({ seq: old.seq, token: old.token }), []);
    }
  });

  test("settle() of one attempt twice in a call is accepted once", async (store) => {
    await store.add([newJob()], T0);
    const { seq, token } = await claimOne(store);
    const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 } as const;
    const { answers } = await store.settle(
      [{ seq, token, outcome }, { seq, token, outcome }],
      HOLDER,
      T0,
    );
    assert.deepEqual(answers, ["settled", "lease-lost"]);
    assert.equal((await store.attempts(seq)).length, 1);
  });
}
