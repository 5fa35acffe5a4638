/**
 * Which peers there are: one row for each way to set one up. To add a peer, add a driver and a row.
 * Owns what the table says of each: its settings and, in words, what an acknowledgement promises.
 */

export type Runtime = "deno" | "node22" | "node24" | "bun";

/** What is left of acknowledged jobs, and by what means. */
export interface Durability {
  readonly survives: "power loss" | "kill -9" | "nothing";
  readonly how: string;
}

export interface Peer {
  readonly name: string;
  /** Peers of one group are chosen together on the command line. */
  readonly group: string;
  readonly runtime: Runtime;
  /** Module in `drivers/`. */
  readonly driver: string;
  readonly variant: string;
  /** Packages of the npm registry, pinned. */
  readonly packages: readonly string[];
  /** One of them that is not published with binaries for the runtime, so that it is compiled. */
  readonly compiled?: string;
  readonly server: "redis" | "redis-aof" | "postgres" | "bunqueue" | null;
  /** Jobs that take it about two seconds to drain, and to add and drain. */
  readonly drainJobs: number;
  readonly flowJobs: number;
  readonly settings: string;
  readonly durability: Durability;
}

const POWER_SAFE = "power loss";

/** SQLite's WAL without a fsync for each commit. */
const NORMAL: Durability = { survives: "kill -9", how: "WAL, synchronous=NORMAL" };
const OURS: Durability = { survives: POWER_SAFE, how: "one fsync before every acknowledgement" };
const FSYNC_PER_JOB: Durability = { survives: POWER_SAFE, how: "synchronous=FULL, a fsync a job" };
const POSTGRES: Durability = {
  survives: POWER_SAFE,
  how: "synchronous_commit=on, a fsync a commit",
};
const BUFFERED: Durability = {
  survives: "nothing",
  how: "acknowledged from memory, written some 10 ms later, synchronous=NORMAL",
};

const PLAINJOB = {
  group: "plainjob",
  runtime: "node24",
  driver: "plainjob",
  packages: ["plainjob@0.0.14", "better-sqlite3@13.2.0"],
  server: null,
} as const;

const LITEQUE = {
  group: "liteque",
  // It hands asynchronous functions to transactions, which better-sqlite3 refuses from 11.10 on;
  // what comes before does not compile for Node 24.
  runtime: "node22",
  driver: "liteque",
  packages: ["liteque@0.8.0", "better-sqlite3@11.9.1"],
  compiled: "better-sqlite3",
  server: null,
} as const;

const BUNQUEUE = {
  group: "bunqueue",
  runtime: "bun",
  driver: "bunqueue",
  packages: ["bunqueue@2.9.5"],
} as const;

const BULLMQ = {
  group: "bullmq",
  runtime: "node24",
  driver: "bullmq",
  packages: ["bullmq@6.7.0", "ioredis@6.0.0"],
} as const;

const GRAPHILE = {
  group: "graphile-worker",
  runtime: "node24",
  driver: "graphile_worker",
  packages: ["graphile-worker@0.18.0", "pg@8.23.1"],
  server: "postgres",
} as const;

/** The first ones are ours. */
export const PEERS: readonly Peer[] = [
  {
    name: "queuectl, library",
    group: "queuectl",
    runtime: "deno",
    driver: "queuectl",
    variant: "",
    packages: [],
    server: null,
    drainJobs: 100_000,
    flowJobs: 60_000,
    settings: "2 workers, all defaults (WAL, synchronous=full)",
    durability: OURS,
  },
  {
    name: "queuectl serve, over HTTP",
    group: "queuectl",
    runtime: "deno",
    driver: "queuectl_serve",
    variant: "",
    packages: [],
    server: null,
    drainJobs: 100_000,
    flowJobs: 25_000,
    settings: "2 workers, all defaults; idle latency is from submit to done, seen from outside",
    durability: OURS,
  },
  {
    name: "queuectl, library, on PostgreSQL",
    group: "queuectl",
    runtime: "deno",
    driver: "queuectl",
    variant: "postgres",
    packages: [],
    server: "postgres",
    drainJobs: 100_000,
    flowJobs: 15_000,
    settings: "2 workers, all defaults",
    durability: POSTGRES,
  },
  {
    ...PLAINJOB,
    name: "plainjob, default",
    variant: "default",
    drainJobs: 12_000,
    flowJobs: 10_000,
    settings: "2 workers in the process (faster here than 2 processes), polling every 10 ms",
    durability: NORMAL,
  },
  {
    ...PLAINJOB,
    name: "plainjob, FULL",
    variant: "full",
    drainJobs: 3_000,
    flowJobs: 2_500,
    settings: "the same with synchronous=FULL",
    durability: FSYNC_PER_JOB,
  },
  {
    ...LITEQUE,
    name: "liteque, default",
    variant: "default",
    drainJobs: 1_600,
    flowJobs: 1_600,
    settings: "concurrency 2, polling every 10 ms; has no call for many jobs",
    durability: NORMAL,
  },
  {
    ...LITEQUE,
    name: "liteque, FULL",
    variant: "full",
    drainJobs: 1_000,
    flowJobs: 1_000,
    settings: "the same with synchronous=FULL",
    durability: FSYNC_PER_JOB,
  },
  {
    ...BUNQUEUE,
    name: "bunqueue embedded, default",
    variant: "embedded",
    server: null,
    drainJobs: 5_000,
    flowJobs: 3_000,
    settings: "concurrency 50, long poll",
    durability: BUFFERED,
  },
  {
    ...BUNQUEUE,
    name: "bunqueue embedded, durable",
    variant: "embedded-durable",
    server: null,
    drainJobs: 5_000,
    flowJobs: 3_000,
    settings: "the same with durable: true on every job",
    durability: NORMAL,
  },
  {
    ...BUNQUEUE,
    name: "bunqueue server, default",
    variant: "server",
    server: "bunqueue",
    drainJobs: 5_000,
    flowJobs: 4_000,
    settings: "concurrency 50, long poll, TCP",
    durability: BUFFERED,
  },
  {
    ...BUNQUEUE,
    name: "bunqueue server, durable",
    variant: "server-durable",
    server: "bunqueue",
    drainJobs: 5_000,
    flowJobs: 4_000,
    settings: "the same with durable: true on every job",
    durability: NORMAL,
  },
  {
    ...BULLMQ,
    name: "BullMQ, Redis without AOF",
    variant: "",
    server: "redis",
    drainJobs: 15_000,
    flowJobs: 10_000,
    settings: "concurrency 100; appendonly no, save ''",
    durability: { survives: "nothing", how: "kept in Redis's memory alone" },
  },
  {
    ...BULLMQ,
    name: "BullMQ, Redis AOF always",
    variant: "",
    server: "redis-aof",
    drainJobs: 12_000,
    flowJobs: 8_000,
    settings: "concurrency 100; appendonly yes, appendfsync always",
    durability: {
      survives: POWER_SAFE,
      how: "a fsync before the answer, shared by commands that arrive together",
    },
  },
  {
    name: "pg-boss",
    group: "pg-boss",
    runtime: "node24",
    driver: "pg_boss",
    variant: "",
    packages: ["pg-boss@12.38.0", "pg@8.23.1"],
    server: "postgres",
    drainJobs: 8_000,
    flowJobs: 2_500,
    settings: "2 workers fetching 100 at a time, burstWhenBatchFull, LISTEN/NOTIFY",
    durability: POSTGRES,
  },
  {
    ...GRAPHILE,
    name: "graphile-worker",
    variant: "plain",
    drainJobs: 4_000,
    flowJobs: 1_500,
    settings: "concurrentJobs 24, maxPoolSize 25",
    durability: POSTGRES,
  },
  {
    ...GRAPHILE,
    name: "graphile-worker, local queue",
    variant: "local-queue",
    drainJobs: 100_000,
    flowJobs: 2_000,
    settings: "the same with localQueue.size 500, completeJobBatchDelay 0",
    durability: POSTGRES,
  },
];

/** The name under which the HTTP services are chosen on the command line, besides ours. */
export const FASTAPI_GROUP = "fastapi";
