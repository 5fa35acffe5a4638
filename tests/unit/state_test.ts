/** Proves what `job/state.ts` says: the seven states and the ways between them. */
import assert from "node:assert/strict";
import {
  FINISHED_STATES,
  HTTP_STATUS_OF,
  isAllowed,
  isFinished,
  isJobState,
  isLeased,
  type JobEvent,
  type JobState,
  LEASED_STATES,
  RUNNABLE_STATES,
  STATES,
  type Transition,
  TRANSITIONS,
} from "../../src/job/state.ts";

const EVENTS = Object.keys(TRANSITIONS) as JobEvent[];
const transition = (event: JobEvent): Transition => TRANSITIONS[event];

Deno.test("the states are the seven of the contract, in its order", () => {
  assert.deepEqual(STATES, [
    "pending",
    "started",
    "processing",
    "completed",
    "failed",
    "dead",
    "cancelled",
  ]);
});

Deno.test("every state has the HTTP status that the contract names", () => {
  assert.deepEqual(HTTP_STATUS_OF, {
    pending: "pending",
    started: "started",
    processing: "processing",
    completed: "done",
    failed: "pending",
    dead: "failed",
    cancelled: "cancelled",
  });
});

Deno.test("every state but the first can be reached from pending", () => {
  const reached = new Set<JobState>(["pending"]);
  for (const _ of STATES) {
    for (const event of EVENTS) {
      const { from, to } = transition(event);
      if (from.some((state) => reached.has(state))) reached.add(to);
    }
  }
  assert.deepEqual(new Set(STATES), reached);
});

Deno.test("completed is final: no event leads out of it", () => {
  assert.deepEqual(EVENTS.filter((event) => isAllowed(event, "completed")), []);
});

Deno.test("a finished job comes back only by requeue, and only when dead or cancelled", () => {
  for (const state of FINISHED_STATES) {
    const out = EVENTS.filter((event) => isAllowed(event, state));
    assert.deepEqual(out, state === "completed" ? [] : ["requeue"], state);
  }
});

Deno.test("a leased job is changed only under its lease or after that has lapsed", () => {
  for (const event of EVENTS) {
    const { from, guard } = transition(event);
    if (!from.some(isLeased)) continue;
    assert.ok(guard === "lease" || guard === "lapsed", `${event} is guarded by "${guard}"`);
  }
});

Deno.test("a lease begins by claim alone, and claim waits until the job is due", () => {
  const intoLease = EVENTS.filter((event) => {
    const { from, to } = transition(event);
    return isLeased(to) && !from.every(isLeased);
  });
  assert.deepEqual(intoLease, ["claim"]);
  assert.equal(TRANSITIONS.claim.guard, "due");
});

Deno.test("runnable, leased and finished states share nothing and together are all", () => {
  const all = [...RUNNABLE_STATES, ...LEASED_STATES, ...FINISHED_STATES];
  assert.equal(all.length, STATES.length);
  assert.deepEqual(new Set(all), new Set(STATES));
});

Deno.test("every lapse ends in failed, dead or cancelled, never back in pending", () => {
  const ends = EVENTS.filter((event) => transition(event).guard === "lapsed")
    .map((event) => transition(event).to);
  assert.deepEqual(new Set(ends), new Set(["failed", "dead", "cancelled"]));
});

Deno.test("isAllowed() says for every event and state what the table says", () => {
  for (const event of EVENTS) {
    for (const state of STATES) {
      assert.equal(isAllowed(event, state), transition(event).from.includes(state));
    }
  }
});

Deno.test("isJobState() accepts states and nothing that merely resembles one", () => {
  assert.ok(STATES.every(isJobState));
  for (const word of ["", "Pending", "done", "toString", "pending "]) {
    assert.equal(isJobState(word), false, word);
  }
});

Deno.test("isFinished() and isLeased() agree with their lists", () => {
  assert.deepEqual(STATES.filter(isFinished), ["completed", "dead", "cancelled"]);
  assert.deepEqual(STATES.filter(isLeased), ["started", "processing"]);
});
