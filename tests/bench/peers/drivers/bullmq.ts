/** BullMQ on Redis. One worker of a high concurrency, as its documentation advises for short I/O. */
import type { OpenOptions, PeerQueue } from "../driver.ts";

interface BullMq {
  Queue: new (name: string, options: { connection: Connection }) => {
    add(name: string, data: unknown): Promise<unknown>;
    addBulk(jobs: { name: string; data: unknown }[]): Promise<unknown>;
    getJobCounts(...states: string[]): Promise<Record<string, number>>;
    close(): Promise<void>;
  };
  Worker: new (
    name: string,
    handler: () => Promise<void>,
    options: { connection: Connection; concurrency: number },
  ) => { waitUntilReady(): Promise<unknown>; close(): Promise<void> };
}

interface Connection {
  host: string;
  port: number;
}

const CONCURRENCY = 100;

export async function open({ name, port, load }: OpenOptions): Promise<PeerQueue> {
  const { Queue, Worker } = await load<BullMq>("bullmq");
  const connection = { host: "127.0.0.1", port };
  const queue = new Queue(name, { connection });
  return {
    add: (text) => queue.add("nothing", { text }),
    addMany: (texts) => queue.addBulk(texts.map((text) => ({ name: "nothing", data: { text } }))),
    async work(started) {
      const handler = () => {
        started();
        return Promise.resolve();
      };
      const worker = new Worker(name, handler, { connection, concurrency: CONCURRENCY });
      await worker.waitUntilReady();
      return { stop: () => worker.close() };
    },
    async unfinished() {
      const counts = await queue.getJobCounts("wait", "prioritized", "delayed", "active");
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    close: () => queue.close(),
  };
}
