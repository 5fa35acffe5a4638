/**
 * pg-boss: two workers that fetch jobs by the hundred, at once while there are more, and woken by
 * LISTEN/NOTIFY, as its documentation offers for throughput and latency.
 */
import type { OpenOptions, PeerQueue } from "../driver.ts";
import { createDatabase } from "../postgres_client.ts";

interface PgBossModule {
  PgBoss: new (options: { connectionString: string; useListenNotify: boolean }) => {
    on(event: "error", listener: (error: unknown) => void): void;
    start(): Promise<unknown>;
    stop(options: { graceful: boolean }): Promise<void>;
    createQueue(name: string, options: { notify: boolean }): Promise<void>;
    send(name: string, data: unknown): Promise<unknown>;
    insert(name: string, jobs: { data: unknown }[]): Promise<unknown>;
    work(
      name: string,
      options: {
        batchSize: number;
        localConcurrency: number;
        burstWhenBatchFull: boolean;
        pollingIntervalSeconds: number;
      },
      handler: (jobs: readonly unknown[]) => Promise<void>,
    ): Promise<unknown>;
    offWork(name: string): Promise<void>;
  };
}

const QUEUE = "nothing";
const BATCH = 100;
const WORKERS = 2;

export async function open(options: OpenOptions): Promise<PeerQueue> {
  const { PgBoss } = await options.load<PgBossModule>("pg-boss");
  const counter = await createDatabase(options);
  const { connectionString } = counter;
  const boss = new PgBoss({ connectionString, useListenNotify: true });
  boss.on("error", console.error);
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  return {
    add: (text) => boss.send(QUEUE, { text }),
    addMany: (texts) => boss.insert(QUEUE, texts.map((text) => ({ data: { text } }))),
    async work(started) {
      await boss.work(QUEUE, {
        batchSize: BATCH,
        localConcurrency: WORKERS,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      }, (jobs) => {
        for (const _ of jobs) started();
        return Promise.resolve();
      });
      return { stop: () => boss.offWork(QUEUE) };
    },
    unfinished: () =>
      counter.count("SELECT count(*) AS count FROM pgboss.job WHERE state < 'completed'"),
    async close() {
      await boss.stop({ graceful: false });
      await counter.close();
    },
  };
}
