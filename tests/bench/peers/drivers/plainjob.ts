/**
 * plainjob on better-sqlite3. Its worker takes one job after the other and its calls are
 * synchronous: two workers in one process take turns. It polls; `pollIntervall` (its spelling) is
 * set low, which costs CPU when idle but gives it its best latency.
 */
import type { OpenOptions, PeerQueue } from "../driver.ts";

interface Plainjob {
  better(database: unknown): unknown;
  defineQueue(options: { connection: unknown; logger: unknown }): {
    add(type: string, data: unknown): unknown;
    addMany(type: string, data: readonly unknown[]): unknown;
    countJobs(filter: { type: string; status: number }): number;
    close(): void;
  };
  defineWorker(
    type: string,
    handler: () => Promise<void>,
    options: { queue: unknown; pollIntervall: number; logger: unknown },
  ): { start(): Promise<void>; stop(): Promise<void> };
}

interface Sqlite {
  default: new (path: string) => { pragma(statement: string): unknown };
}

const POLL_MS = 10;
const WORKERS = 2;
const [PENDING, PROCESSING] = [0, 1];

export async function open({ directory, variant, load }: OpenOptions): Promise<PeerQueue> {
  const { better, defineQueue, defineWorker } = await load<Plainjob>("plainjob");
  const { default: Database } = await load<Sqlite>("better-sqlite3");
  const database = new Database(`${directory}/queue.db`);
  const logger = { ...console, debug() {}, info() {} };
  const queue = defineQueue({ connection: better(database), logger });
  // It sets NORMAL itself; afterwards, the connection is ours to set.
  if (variant === "full") database.pragma("synchronous = FULL");
  return {
    add: (text) => queue.add("nothing", text),
    addMany: (texts) => queue.addMany("nothing", texts),
    work(started) {
      const handler = () => {
        started();
        return Promise.resolve();
      };
      const workers = Array.from(
        { length: WORKERS },
        () => defineWorker("nothing", handler, { queue, pollIntervall: POLL_MS, logger }),
      );
      for (const worker of workers) void worker.start();
      return Promise.resolve({
        stop: async () => void await Promise.all(workers.map((worker) => worker.stop())),
      });
    },
    unfinished: () =>
      queue.countJobs({ type: "nothing", status: PENDING }) +
      queue.countJobs({ type: "nothing", status: PROCESSING }),
    close() {
      queue.close();
      return Promise.resolve();
    },
  };
}
