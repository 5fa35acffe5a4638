/**
 * Looks now and then whether something is wrong, and tells a webhook when that begins and when it is
 * over. Several processes look; the store lets one of them tell.
 */
import { alertBody, type AlertRules, findAlerts } from "../job/alerts.ts";
import type { Queue } from "../queue/queue.ts";
import { type Duty, PeriodicDuty } from "./duty.ts";

const EVERY_MS = 10_000;

export interface AlertOptions {
  readonly queue: Queue;
  readonly rules: AlertRules;
  /** Where to tell. */
  readonly url: string;
  readonly everyMs?: number;
  readonly onError: (error: unknown) => void;
}

export function createAlerts({ queue, rules, url, everyMs, onError }: AlertOptions): Duty {
  const { store, clock } = queue;
  const look = async () => {
    const [stats, workers, firing] = await Promise.all([
      queue.stats(),
      queue.workers(),
      store.alerts(),
    ]);
    const nowMs = clock();
    const found = findAlerts(rules, {
      nowMs,
      oldestReadyAtMs: stats.oldestReadyAtMs,
      deadJobs: stats.counts.dead,
      workers: workers.length,
    });
    const before = new Set(firing);
    for (const { name, message } of found) {
      if (before.delete(name)) continue;
      const body = alertBody(name, { isFiring: true, message, nowMs });
      await store.changeAlert({ name, isFiring: true, event: "alert.firing", url, body }, nowMs);
    }
    for (const name of before) {
      const body = alertBody(name, { isFiring: false, message: null, nowMs });
      await store.changeAlert({ name, isFiring: false, event: "alert.resolved", url, body }, nowMs);
    }
  };
  return new PeriodicDuty(look, { everyMs: everyMs ?? EVERY_MS, onError });
}
