/**
 * The random events of the simulation. Each does one thing to the store and to the model, and
 * compares the answers; after each the two are compared as a whole. Owns no rule: what ought to
 * happen is asked of the model.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AttemptEnd } from "../../src/job/outcome.ts";
import { isLeased } from "../../src/job/state.ts";
import type { JobStore } from "../../src/store/store.ts";
import { AFTER_CONDITIONS, ON_CONFLICT } from "../../src/job/job.ts";
import { newExtras, newJob } from "../helpers/jobs.ts";
import { listAll } from "../store/conformance/harness.ts";
import { BACKOFF, LEASE_MS, type Model, type ModelJob, type ModelLease } from "./model.ts";
import { addRelated, requeueable } from "./relations.ts";

/** Two connections to one database, as two processes have them. */
export type Stores = readonly [JobStore, JobStore];

type Event = fc.AsyncCommand<Model, Stores, false>;

/** Processes, by the connection that each one uses. */
const HOLDERS = ["process-a", "process-b", "process-c"] as const;
const QUEUES = ["default", "mail"] as const;
const ERROR = { code: "error", message: "simulated" } as const;

const storeOf = (stores: Stores, holder: string): JobStore =>
  stores[HOLDERS.indexOf(holder as typeof HOLDERS[number]) % 2]!;

/** An event, written down as a function and its name. */
function event(
  name: string,
  run: (model: Model, stores: Stores) => Promise<void>,
  isPossible: (model: Model) => boolean = () => true,
): Event {
  return {
    check: (model) => isPossible(model as Model),
    async run(model, stores) {
      await run(model, stores);
      await compare(model, stores);
    },
    toString: () => name,
  };
}

/** One of the things that there are, by any number: the same number for the same history. */
const pick = <T>(things: readonly T[], number: number): T => things[number % things.length]!;

const holder = fc.constantFrom(...HOLDERS);
const number = fc.nat(1_000);
const hasJobs = (model: Model) => model.jobs.size > 0;
const hasLeases = (model: Model) => model.leases.length > 0;
const jobBy = (model: Model, index: number): ModelJob => pick([...model.jobs.values()], index);

/** Recent leases more often than old ones, or nearly every write would be a late one. */
const leaseBy = (model: Model, index: number): ModelLease =>
  index % 2 === 0
    ? model.leases.at(-1 - (index % Math.min(3, model.leases.length)))!
    : pick(model.leases, index);

const adding = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  queue: fc.constantFrom(...QUEUES),
  kind: fc.constantFrom("count", "command"),
  priority: fc.integer({ min: -1, max: 1 }),
  maxRetries: fc.integer({ min: 0, max: 2 }),
  delayMs: fc.constantFrom(0, 0, 0, 500, 4_000),
}).map(({ count, delayMs, ...fields }) =>
  event(`add ${count} ${JSON.stringify({ ...fields, delayMs })}`, async (model, [store]) => {
    const jobs = Array.from({ length: count }, (_, index) =>
      newJob({
        ...fields,
        id: `job-${model.added + index}`,
        runAtMs: model.nowMs + delayMs,
      }));
    assert.deepEqual(await store.add(jobs, model.nowMs), { duplicates: [] });
    for (const job of jobs) model.add(job);
  })
);

const addingAgain = number.map((index) =>
  event(`add #${index} again`, async (model, [store]) => {
    const { id } = jobBy(model, index);
    const answer = await store.add([newJob({ id: "job-new" }), newJob({ id })], model.nowMs);
    assert.deepEqual(answer, { duplicates: [id] });
  }, hasJobs)
);

/** One for all: histories are short, and it is to be wanted often. */
const UNIQUE_KEY = "the-key";

/** Jobs that have to do with each other and with those that there are. */
const relating = fc.record({
  unique: fc.constantFrom(null, UNIQUE_KEY),
  onConflict: fc.constantFrom(...ON_CONFLICT),
  after: fc.array(number, { minLength: 0, maxLength: 2 }),
  on: fc.constantFrom(...AFTER_CONDITIONS),
  delayMs: fc.constantFrom(0, 0, 4_000),
  maxRetries: fc.integer({ min: 0, max: 1 }),
  /** Whether a second job is added with it, which waits for it and is named first. */
  isAwaited: fc.boolean(),
  isAnyMissing: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
}).map(({ unique, onConflict, after, on, delayMs, maxRetries, isAwaited, isAnyMissing }) => {
  const name = JSON.stringify({ unique, onConflict, after, on, delayMs, isAwaited, isAnyMissing });
  return event(`add related ${name}`, async (model, [store]) => {
    const id = `job-${model.added}`;
    const known = model.jobs.size === 0 ? [] : after.map((index) => jobBy(model, index).id);
    const ids = [...new Set([...known, ...(isAnyMissing ? ["nobody"] : [])])];
    const runAtMs = model.nowMs + delayMs;
    const first = newJob({
      ...{ id, runAtMs, maxRetries },
      extras: newExtras({
        options: unique === null ? null : { uniqueKey: unique },
        unique: unique === null ? null : { key: unique, onConflict },
        after: ids.length === 0 ? null : { ids, on },
      }),
    });
    const second = newJob({
      ...{ id: `${id}-after`, runAtMs: model.nowMs, maxRetries },
      extras: newExtras({ after: { ids: [id], on } }),
    });
    const jobs = isAwaited ? [second, first] : [first];
    const { nowMs } = model;
    assert.deepEqual(await store.add(jobs, nowMs), addRelated(model, jobs));
  });
});

const claiming = fc.tuple(holder, fc.nat(4), fc.constantFrom(1, 3)).map(([by, free, chunk]) =>
  event(`claim by ${by} for ${free} in chunks of ${chunk}`, async (model, stores) => {
    const due = new Map(
      QUEUES.map((queue) => [queue, model.due(queue).slice(0, model.room(queue))]),
    );
    const dueCount = [...due.values()].flat().length;
    // A queue with no room left is looked at again when a job of it ends.
    const watched = QUEUES.filter((queue) => model.room(queue) > due.get(queue)!.length);
    const nextDueAtMs = model.nextDueAtMs(watched);
    // Of a queue that this claim fills to its limit a time may be told, that of the priorities which it
    // has come to: it costs one look too many.
    const filled = QUEUES.filter((queue) => model.room(queue) >= due.get(queue)!.length);
    const orAnyOf = model.laterTimes(filled)
      .filter((atMs) => nextDueAtMs === null || atMs < nextDueAtMs);
    const isHeldBack = QUEUES.some((queue) =>
      !model.rules.get(queue)?.isPaused && model.room(queue) === due.get(queue)!.length
    );
    const claimed = await storeOf(stores, by).claim(() => ({
      holder: by,
      nowMs: model.nowMs,
      leaseExpiresAtMs: model.nowMs + LEASE_MS,
      slots: Array.from({ length: free }, (_, index) => `w-${index + 1}`),
      chunk: { count: chunk },
      chunkBytes: 1_000,
    }));
    const jobs = claimed.slots.flatMap((slot) => slot.jobs);
    assert.ok(claimed.slots.length <= free);
    assert.ok(claimed.slots.length === free || jobs.length === dueCount, "a worker stayed idle");
    assert.ok(claimed.slots.every((slot) => slot.jobs.length <= chunk && slot.jobs.length > 0));
    for (const queue of QUEUES) {
      const ids = jobs.filter((job) => job.queue === queue).map(({ id }) => id);
      const expected = due.get(queue)!.slice(0, ids.length).map(({ id }) => id);
      assert.deepEqual(ids, expected, `claimed out of order from ${queue}`);
    }
    if (free > 0) {
      assert.ok(claimed.isMoreDue || jobs.length === dueCount, "due jobs were left in silence");
      if (!claimed.isMoreDue) {
        const isFilled = orAnyOf.includes(claimed.nextDueAtMs ?? NaN);
        if (!isFilled) assert.equal(claimed.nextDueAtMs, nextDueAtMs);
        // Of queues without waiting jobs nothing is asked.
        if (claimed.isHeldBack) assert.ok(isHeldBack, "held back by nothing");
        const isLeftInSilence = QUEUES.some((queue) =>
          !model.rules.get(queue)?.isPaused && model.due(queue).length > due.get(queue)!.length
        );
        if (isLeftInSilence) assert.ok(claimed.isHeldBack, "nobody would look again");
      }
    }
    for (const job of jobs) model.claim(job, by);
  })
);

const beginning = fc.tuple(number, holder, fc.boolean()).map(([index, other, isOwn]) =>
  event(`begin lease #${index} by ${isOwn ? "its holder" : other}`, async (model, stores) => {
    const lease = leaseBy(model, index);
    const by = isOwn ? lease.holder : other;
    const isDue = model.holds(lease, by) && lease.job.state === "started";
    await storeOf(stores, by).begin([lease.leased], by, model.nowMs);
    if (isDue) model.apply("begin", lease.job);
  }, hasLeases)
);

const end: fc.Arbitrary<AttemptEnd> = fc.constantFrom<AttemptEnd>(
  { type: "succeeded", result: '{"characters":1}' },
  { type: "failed", error: ERROR },
  { type: "failed", error: ERROR },
  { type: "cancelled" },
  { type: "released" },
  { type: "snoozed", delayMs: 1_500 },
);

const settling = fc.tuple(
  number,
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, holder),
  end,
)
  .map(([index, other, ended]) =>
    event(`${ended.type}: lease #${index} by ${other ?? "its holder"}`, async (model, stores) => {
      const lease = leaseBy(model, index);
      const by = other ?? lease.holder;
      const { seq, token } = lease.leased;
      const outcome = model.outcomeOf(lease, ended);
      const expected = model.holds(lease, by) ? "settled" : "lease-lost";
      const attempts = [{ seq, token, outcome }];
      const { answers } = await storeOf(stores, by).settle(attempts, by, model.nowMs);
      assert.deepEqual(answers, [expected]);
      if (expected === "settled") model.settle(lease, outcome);
    }, hasLeases)
  );

const renewing = fc.tuple(number, number, holder).map(([first, second, by]) =>
  event(`renew leases #${first} and #${second} by ${by}`, async (model, stores) => {
    const leases = [leaseBy(model, first), leaseBy(model, second)];
    const expected = leases.map((lease) => model.holds(lease, by) ? "settled" : "lease-lost");
    const expiresAtMs = model.nowMs + LEASE_MS;
    const times = { nowMs: model.nowMs, expiresAtMs };
    const answers = await storeOf(stores, by).renew(leases.map(({ leased }) => leased), by, times);
    assert.deepEqual(answers, expected);
    for (const [index, { job }] of leases.entries()) {
      if (expected[index] === "settled") job.leaseExpiresAtMs = expiresAtMs;
    }
  }, hasLeases)
);

const reaping = fc.tuple(fc.subarray([...HOLDERS], { maxLength: 1 }), fc.constantFrom(1, 2, 100))
  .map(([deadHolders, limit]) =>
    event(`reap at most ${limit}, dead: ${deadHolders.join(" ")}`, async (model, stores) => {
      const lapsed = model.lapsed(deadHolders);
      const { nowMs } = model;
      const request = { nowMs, leaseMs: LEASE_MS, backoff: BACKOFF, deadHolders, limit };
      const reaped = await stores[1].reap(request);
      assert.equal(reaped.length, Math.min(limit, lapsed.length));
      for (const { id, state, attempts } of reaped) {
        const job = lapsed.find((one) => one.id === id);
        assert.ok(job, `${id} was reaped although its lease holds`);
        model.reap(job);
        assert.deepEqual({ state, attempts }, { state: job.state, attempts: job.attempts });
      }
      assert.equal(new Set(reaped.map(({ id }) => id)).size, reaped.length);
    })
  );

const changing = fc.tuple(
  fc.constantFrom("cancel" as const, "requeue" as const, "remove" as const),
  number,
  fc.nat(1),
).map(
  ([verb, index, connection]) =>
    event(`${verb} job #${index}`, async (model, stores) => {
      const job = jobBy(model, index);
      const store = stores[connection]!;
      const change = verb === "remove"
        ? await store.remove(job.id, model.nowMs)
        : await store[verb](job.id, model.nowMs);
      assert.equal(change.result, model[verb](job));
    }, hasJobs),
);

const isLive = (model: Model) => (lease: ModelLease) => model.holds(lease, lease.holder);

/** Seldom by chance: the last word of a holder, then a wish to cancel, then nothing for a whole lease. */
const dyingCancelled = number.map((index) =>
  event(`cancel what lease #${index} holds, whose holder died`, async (model, [store]) => {
    const { job } = pick(model.leases.filter(isLive(model)), index);
    const { result } = await store.cancel(job.id, model.nowMs);
    assert.equal(result, model.cancel(job));
    model.nowMs += LEASE_MS;
  }, (model) => model.leases.some(isLive(model)))
);

const bulk = fc.tuple(fc.constantFrom("requeueDead", "purgeDead"), fc.integer({ min: 1, max: 3 }))
  .map(
    ([verb, limit]) =>
      event(`${verb} at most ${limit}`, async (model, [store]) => {
        const dead = model.inState("dead").sort((one, other) => one.order - other.order);
        const isRequeue = verb === "requeueDead";
        const possible = isRequeue ? requeueable(model) : dead.length;
        const done = isRequeue
          ? await store.requeueDead(model.nowMs, limit)
          : await store.purgeDead(limit);
        assert.equal(done, Math.min(limit, possible));
        // Which ones is the store's choice where there are more.
        const left = new Set(
          (await store.list({ states: ["dead"], limit: 100 })).jobs.map(({ id }) => id),
        );
        for (const job of dead.filter(({ id }) => !left.has(id))) {
          if (isRequeue) assert.equal(model.requeue(job), "changed");
          else model.remove(job);
        }
      }),
  );

const limiting = fc.tuple(
  fc.constantFrom(...QUEUES),
  fc.boolean(),
  fc.constantFrom(null, null, 1, 2, 4),
  fc.nat(1),
).map(([queue, isPaused, maxRunning, connection]) =>
  event(`limit ${queue}: ${isPaused ? "paused" : "open"}, ${maxRunning}`, async (model, stores) => {
    const rules = { isPaused, maxRunning };
    const { pausedAtMs, ...kept } = await stores[connection]!.changeQueue(
      queue,
      rules,
      model.nowMs,
    );
    assert.deepEqual({ isPaused: pausedAtMs !== null, maxRunning: kept.maxRunning }, rules);
    model.rules.set(queue, rules);
  })
);

const ticking = fc.constantFrom(1, 500, 2_000, 6_000, LEASE_MS).map((ms) =>
  event(`${ms} ms pass`, (model) => {
    model.nowMs += ms;
    return Promise.resolve();
  })
);

/** Sequences of events. */
export function histories(maxCommands: number) {
  return fc.commands<Model, Stores, false>(
    [
      ...[
        adding,
        addingAgain,
        ...[relating, relating, relating, relating],
        claiming,
        claiming,
        beginning,
        settling,
        settling,
        renewing,
      ],
      ...[reaping, changing, dyingCancelled, bulk, limiting, ticking, ticking],
    ] as fc.Arbitrary<Event>[],
    { maxCommands, size: "max" },
  );
}

/** Store and model must agree on everything, and the invariants must hold. */
async function compare(model: Model, stores: Stores): Promise<void> {
  const [reader, other] = model.nowMs % 2 === 0 ? stores : [stores[1], stores[0]];
  const stored = (await listAll(reader)).reverse();
  const expected = [...model.jobs.values()].sort((one, next) => one.order - next.order);
  assert.deepEqual(
    stored.map(({ id, state, attempts, token, runAtMs, cancelRequestedAtMs }) => ({
      ...{ id, state, attempts, token, isCancelRequested: cancelRequestedAtMs !== null },
      runAtMs: isLeased(state) || state === "completed" ? null : runAtMs,
    })),
    expected.map(({ id, state, attempts, token, runAtMs, isCancelRequested }) => ({
      ...{ id, state, attempts, token, isCancelRequested },
      runAtMs: isLeased(state) || state === "completed" ? null : runAtMs,
    })),
  );
  assert.deepEqual((await other.stats(model.nowMs)).counts, model.counts());
  assert.equal(stored.length, model.added - model.removed, "a job was lost or appeared");
  for (const job of expected) {
    assert.ok(job.failures <= job.maxRetries + 1, `${job.id} ran more often than it may`);
    if (job.state === "dead") assert.equal(job.failures, job.maxRetries + 1);
  }
}

/** At the end of a history: who still holds a lease, and what was kept of every attempt. */
export async function compareAtTheEnd(model: Model, stores: Stores): Promise<void> {
  const live = new Map<string, number>();
  for (const lease of model.leases) {
    const times = { nowMs: model.nowMs, expiresAtMs: model.nowMs + LEASE_MS };
    const [answer] = await storeOf(stores, lease.holder).renew([lease.leased], lease.holder, times);
    assert.equal(answer === "settled", model.holds(lease, lease.holder));
    if (answer === "settled") live.set(lease.job.id, (live.get(lease.job.id) ?? 0) + 1);
  }
  for (const [id, leases] of live) assert.equal(leases, 1, `${id} has ${leases} live leases`);
  for (const { id, seq } of await listAll(stores[0])) {
    const attempts = await stores[0].attempts(seq);
    assert.deepEqual(
      attempts.map(({ token, attempt, outcome }) => ({ token, attempt, outcome })),
      model.jobs.get(id)!.history,
    );
    const dependencies = await stores[1].dependencies(seq);
    const { after } = model.jobs.get(id)!;
    assert.deepEqual(
      dependencies.map((one) => [one.id, one.condition, one.isMet]),
      after.toSorted((one, other) => one.on.order - other.on.order)
        .map(({ on, condition, fate }) => [on.id, condition, fate === "met"]),
    );
  }
}
