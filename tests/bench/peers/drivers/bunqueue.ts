/**
 * bunqueue, in the process (`embedded…`) or through its server over TCP (`server…`); `…durable`
 * sets the option of that name on every job. Concurrency as in its own benchmark of draining; the
 * long poll of its own benchmark of latency.
 */
import type { OpenOptions, PeerQueue } from "../driver.ts";

interface Bunqueue {
  Queue: new (name: string, options: QueueOptions) => {
    add(name: string, data: unknown, options: JobOptions): Promise<unknown>;
    addBulk(jobs: { name: string; data: unknown; opts: JobOptions }[]): Promise<unknown>;
    getJobCountsAsync(): Promise<Record<string, number>>;
    close(): unknown;
  };
  Worker: new (
    name: string,
    handler: () => Promise<void>,
    options: QueueOptions & { concurrency: number; pollTimeout?: number },
  ) => { close(): Promise<void> };
}

interface QueueOptions {
  embedded?: boolean;
  dataPath?: string;
  connection?: { host: string; port: number };
}

interface JobOptions {
  durable?: boolean;
}

const CONCURRENCY = 50;
const LONG_POLL_MS = 5_000;

export async function open(
  { directory, name, variant, port, load }: OpenOptions,
): Promise<PeerQueue> {
  const { Queue, Worker } = await load<Bunqueue>("bunqueue/client");
  const isEmbedded = variant.startsWith("embedded");
  const opts: JobOptions = variant.endsWith("durable") ? { durable: true } : {};
  const place: QueueOptions = isEmbedded
    // The embedded manager is one for the process, and so is its file.
    ? { embedded: true, dataPath: `${directory}/../bunqueue.db` }
    : { connection: { host: "127.0.0.1", port } };
  const queue = new Queue(name, place);
  return {
    add: (text) => queue.add("nothing", { text }, opts),
    addMany: (texts) =>
      queue.addBulk(texts.map((text) => ({ name: "nothing", data: { text }, opts }))),
    work(started) {
      const handler = () => {
        started();
        return Promise.resolve();
      };
      const worker = new Worker(name, handler, {
        ...place,
        concurrency: CONCURRENCY,
        pollTimeout: LONG_POLL_MS,
      });
      return Promise.resolve({ stop: () => worker.close() });
    },
    async unfinished() {
      const counts = await queue.getJobCountsAsync();
      return ["waiting", "prioritized", "delayed", "active"]
        .reduce((sum, state) => sum + (counts[state] ?? 0), 0);
    },
    close: async () => void await queue.close(),
  };
}
