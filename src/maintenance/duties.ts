/**
 * Everything that a process does again and again besides running jobs, started and stopped together.
 * To add a duty, add a file and a row.
 */
import { backoffOf, retentionOf, type Settings } from "../config/settings.ts";
import type { Random } from "../lib/clock.ts";
import type { Queue } from "../queue/queue.ts";
import { createAlerts } from "./alerts.ts";
import type { Duty } from "./duty.ts";
import { createFileSweeper } from "./file_sweeper.ts";
import { Pruner } from "./pruner.ts";
import { createReaper } from "./reaper.ts";
import { Scheduler } from "./scheduler.ts";
import { WebhookSender } from "./webhooks.ts";

export interface DutyContext {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly random: Random;
  /** Gets what a run throws. */
  readonly onError: (error: unknown) => void;
}

interface DutyRow {
  /** Null: by these settings nobody wants it. */
  readonly create: (context: DutyContext) => Duty | null;
  /** A run of it must be over before the first job is claimed. */
  readonly comesFirst?: true;
  /** It adds jobs: it ends when a shutdown begins, the others when it is over. */
  readonly addsJobs?: true;
}

const DUTIES: readonly DutyRow[] = [
  {
    create: ({ queue, settings, onError }) =>
      createReaper({
        queue,
        leaseMs: settings["lease"],
        everyMs: settings["reap-interval"],
        backoff: backoffOf(settings),
        onError,
      }),
    comesFirst: true,
  },
  { create: ({ queue, onError }) => new Scheduler({ queue, onError }), addsJobs: true },
  {
    create: ({ queue, settings, random, onError }) =>
      new WebhookSender({
        queue,
        allowsPrivate: settings["allow-private-http"],
        caFile: settings["http-ca-file"],
        secretFile: settings["webhook-secret-file"],
        random,
        onError,
      }),
  },
  {
    create: ({ queue, settings, onError }) =>
      new Pruner({ queue, retention: retentionOf(settings), onError }),
  },
  { create: ({ queue, onError }) => createFileSweeper({ queue, onError }) },
  {
    create: ({ queue, settings, onError }) => {
      const url = settings["alert-url"];
      if (url === null) return null;
      const rules = {
        queueLatencyMs: settings["alert-queue-latency"],
        deadJobs: settings["alert-dead-jobs"],
        wantsWorkers: settings["alert-no-workers"],
      };
      return createAlerts({ queue, url, rules, onError });
    },
  },
];

/** The duties of one process. */
export class Duties {
  readonly #duties: readonly { readonly row: DutyRow; readonly duty: Duty }[];

  constructor(context: DutyContext) {
    this.#duties = DUTIES.flatMap((row) => {
      const duty = row.create(context);
      return duty === null ? [] : [{ row, duty }];
    });
  }

  /** Does what must be done before the first job is claimed. */
  async runFirst(): Promise<void> {
    for (const { row, duty } of this.#duties) if (row.comesFirst) await duty.runOnce();
  }

  start(): void {
    for (const { duty } of this.#duties) duty.start();
  }

  /** From now on none of them adds a job, but for one that is being added. */
  stopAdding(): void {
    for (const { row, duty } of this.#duties) if (row.addsJobs) duty.stop();
  }

  /** Resolves when nothing is under way and nothing will follow. */
  async stop(): Promise<void> {
    await Promise.all(this.#duties.map(({ duty }) => duty.stop()));
  }
}
