/**
 * liteque on better-sqlite3. Has no call for many jobs. It polls; the interval is set low, for its
 * best latency.
 */
import type { OpenOptions, PeerQueue } from "../driver.ts";

interface Liteque {
  buildDBClient(path: string, options: { runMigrations: boolean }): {
    $client?: Sqlite;
    session?: { client: Sqlite };
  };
  SqliteQueue: new (
    name: string,
    database: unknown,
    options: { defaultJobArgs: { numRetries: number }; keepFailedJobs: boolean },
  ) => {
    enqueue(payload: unknown): Promise<unknown>;
    stats(): Promise<{ pending: number; pending_retry: number; running: number }>;
  };
  Runner: new (
    queue: unknown,
    functions: { run: () => Promise<void> },
    options: { concurrency: number; pollIntervalMs: number; timeoutSecs: number },
  ) => { run(): Promise<void>; stop(): void };
}

interface Sqlite {
  pragma(statement: string): unknown;
  close(): void;
}

const POLL_MS = 10;
const CONCURRENCY = 2;

export async function open({ directory, variant, load }: OpenOptions): Promise<PeerQueue> {
  const { buildDBClient, SqliteQueue, Runner } = await load<Liteque>("liteque");
  const database = buildDBClient(`${directory}/queue.db`, { runMigrations: true });
  const sqlite = database.$client ?? database.session!.client;
  if (variant === "full") sqlite.pragma("synchronous = FULL");
  const queue = new SqliteQueue("nothing", database, {
    defaultJobArgs: { numRetries: 3 },
    keepFailedJobs: true,
  });
  return {
    add: (text) => queue.enqueue({ text }),
    addMany: null,
    work(started) {
      const run = () => {
        started();
        return Promise.resolve();
      };
      const runner = new Runner(queue, { run }, {
        concurrency: CONCURRENCY,
        pollIntervalMs: POLL_MS,
        timeoutSecs: 60,
      });
      const running = runner.run();
      return Promise.resolve({
        async stop() {
          runner.stop();
          await running;
        },
      });
    },
    async unfinished() {
      const { pending, pending_retry, running } = await queue.stats();
      return pending + pending_retry + running;
    },
    close() {
      sqlite.close();
      return Promise.resolve();
    },
  };
}
