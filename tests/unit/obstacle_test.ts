/** Why a job that is due has not started. */
import assert from "node:assert/strict";
import type { Job } from "../../src/job/job.ts";
import { describeObstacle, obstacleOf } from "../../src/queue/obstacle.ts";
import type { QueueRules, Standing, WorkerStatus } from "../../src/store/store.ts";

const JOB = { queue: "mail", key: "k", kind: "count" } as Job;
const FREE = { status: "idle", jobId: null, kinds: ["count"] } as unknown as WorkerStatus;
const NO_RULES: QueueRules = {
  pausedAtMs: null,
  maxRunning: null,
  rate: null,
  keyMaxRunning: null,
};

function standing(rules: Partial<QueueRules>, more: Partial<Standing> = {}): Standing {
  return {
    rules: { ...NO_RULES, ...rules },
    running: 0,
    runningOfKey: 0,
    nextStartAtMs: null,
    ...more,
  };
}

const typeOf = (now: Standing, workers = [FREE], job = JOB) => obstacleOf(job, now, workers)?.type;

Deno.test("each limit holds a job back from where it is reached, not before", () => {
  assert.equal(typeOf(standing({ maxRunning: 2 }, { running: 1 })), undefined);
  assert.equal(typeOf(standing({ maxRunning: 2 }, { running: 2 })), "running");
  assert.equal(typeOf(standing({ keyMaxRunning: 1 }, { running: 5 })), undefined);
  const ofKey = standing({ keyMaxRunning: 1 }, { runningOfKey: 1 });
  assert.equal(typeOf(ofKey), "key");
  assert.equal(
    typeOf(ofKey, [FREE], { ...JOB, key: null }),
    undefined,
    "those without one are free",
  );
  const rate = { limit: 1, periodMs: 1_000 };
  assert.equal(typeOf(standing({ rate })), undefined);
  assert.equal(typeOf(standing({ rate }, { nextStartAtMs: 5 })), "rate");
});

Deno.test("workers that stop, or do not run the kind, are none; older ones may run every kind", () => {
  const none = standing({});
  assert.equal(typeOf(none, []), "no-worker");
  assert.equal(typeOf(none, [{ ...FREE, status: "draining" }]), "no-worker");
  assert.equal(typeOf(none, [{ ...FREE, kinds: ["command"] }]), "kind");
  assert.equal(typeOf(none, [{ ...FREE, kinds: undefined }]), undefined);
  assert.equal(typeOf(none, [{ ...FREE, jobId: "x" }]), "busy");
  assert.equal(typeOf(none, [{ ...FREE, jobId: "x" }, FREE]), undefined);
  assert.equal(typeOf(standing({ pausedAtMs: 1 }), []), "paused", "which somebody has said");
});

Deno.test("a rate says when the next job may start", () => {
  const rate = { limit: 10, periodMs: 60_000 };
  const found = obstacleOf(JOB, standing({ rate }, { nextStartAtMs: 0 }), [FREE]);
  assert.match(describeObstacle(found!), /queue mail .*rate 10\/1m.* at 1970-01-01T00:00:00.000Z$/);
});
