/** When somebody is told that something is wrong with the queue. */
import assert from "node:assert/strict";
import { type AlertFigures, type AlertRules, findAlerts } from "../../src/job/alerts.ts";

const NOW_MS = 1_000_000;
const CALM: AlertFigures = { nowMs: NOW_MS, oldestReadyAtMs: null, deadJobs: 0, workers: 2 };
const NONE: AlertRules = { queueLatencyMs: null, deadJobs: null, wantsWorkers: false };

const names = (rules: Partial<AlertRules>, figures: Partial<AlertFigures>) =>
  findAlerts({ ...NONE, ...rules }, { ...CALM, ...figures }).map(({ name }) => name);

Deno.test("an old job that is due is told of once it has waited longer than allowed", () => {
  const rules = { queueLatencyMs: 5_000 };
  assert.deepEqual(names(rules, { oldestReadyAtMs: NOW_MS - 5_000 }), []);
  assert.deepEqual(names(rules, { oldestReadyAtMs: NOW_MS - 5_001 }), ["queue-latency"]);
  assert.deepEqual(names({}, { oldestReadyAtMs: 0 }), []);
});

Deno.test("dead jobs are told of when there are more than allowed", () => {
  assert.deepEqual(names({ deadJobs: 3 }, { deadJobs: 3 }), []);
  assert.deepEqual(names({ deadJobs: 3 }, { deadJobs: 4 }), ["dead-jobs"]);
  assert.deepEqual(names({ deadJobs: 0 }, { deadJobs: 1 }), ["dead-jobs"]);
});

Deno.test("no workers are told of only while a job is due", () => {
  const rules = { wantsWorkers: true };
  assert.deepEqual(names(rules, { workers: 0 }), []);
  assert.deepEqual(names(rules, { workers: 0, oldestReadyAtMs: NOW_MS }), ["no-workers"]);
  assert.deepEqual(names(rules, { workers: 1, oldestReadyAtMs: NOW_MS }), []);
});

Deno.test("everything that is wrong is told", () => {
  const rules = { queueLatencyMs: 1, deadJobs: 0, wantsWorkers: true };
  assert.equal(names(rules, { oldestReadyAtMs: 0, deadJobs: 1, workers: 0 }).length, 3);
});
