/**
 * graphile-worker with the settings under "quick stats" of its documentation on performance;
 * `plain` without the local queue and the batching of completions, `local-queue` with them.
 */
import type { OpenOptions, PeerQueue } from "../driver.ts";
import { createDatabase } from "../postgres_client.ts";

interface GraphileWorker {
  makeWorkerUtils(options: { connectionString: string; logger: unknown }): Promise<{
    migrate(): Promise<void>;
    addJob(task: string, payload: unknown): Promise<unknown>;
    addJobs(jobs: { identifier: string; payload: unknown }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: {
    preset: { worker: Record<string, unknown> };
    taskList: Record<string, () => Promise<void>>;
    logger: unknown;
    noHandleSignals: boolean;
  }): Promise<{ stop(): Promise<void> }>;
  Logger: new (factory: () => (level: string, message: string) => void) => unknown;
}

export async function open(options: OpenOptions): Promise<PeerQueue> {
  const { makeWorkerUtils, run, Logger } = await options.load<GraphileWorker>("graphile-worker");
  const counter = await createDatabase(options);
  const { connectionString } = counter;
  const logger = new Logger(() => (level, message) => {
    if (level === "error") console.error(message);
  });
  const utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
  return {
    add: (text) => utils.addJob("nothing", { text }),
    addMany: (texts) =>
      utils.addJobs(texts.map((text) => ({ identifier: "nothing", payload: { text } }))),
    async work(started) {
      const nothing = () => {
        started();
        return Promise.resolve();
      };
      const runner = await run({
        preset: {
          worker: {
            connectionString,
            concurrentJobs: 24,
            maxPoolSize: 25,
            ...options.variant === "local-queue" && {
              localQueue: { size: 500 },
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0,
            },
          },
        },
        taskList: { nothing },
        logger,
        noHandleSignals: true,
      });
      return { stop: () => runner.stop() };
    },
    unfinished: () => counter.count("SELECT count(*) AS count FROM graphile_worker._private_jobs"),
    async close() {
      await utils.release();
      await counter.close();
    },
  };
}
