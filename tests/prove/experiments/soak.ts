/**
 * Everything at once for a long time: submits, reads, cancels, commands, jobs of every special kind,
 * attempts that fail, workers that crash and hang, a worker process killed now and then. What a server takes must not grow.
 */
import { fileURLToPath } from "node:url";
import { isPostgresUrl } from "../../../src/lib/database_url.ts";
import { pause } from "../../../src/lib/pause.ts";
import { apiOf } from "../../helpers/api.ts";
import { descriptorCount, memoryBytes } from "../../helpers/processes.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { allFinished, allJobs, audit, look } from "../books.ts";
import { Errands } from "../errands/errands.ts";
import { type Experiment, type Figure, none, type ProveContext } from "../experiment.ts";
import { oneOf } from "../random.ts";
import { Submitter } from "../submitter.ts";

const HANDLERS = fileURLToPath(new URL("../errands/handlers.ts", import.meta.url));

/** Of each special kind of job, between two submits. */
const ERRAND_PAUSE_MS = 400;

const FLAGS = [
  ...[
    "--lease",
    "2s",
    "--reap-interval",
    "500ms",
    "--backoff-base",
    "0.1",
    "--max-retries",
    "1000",
  ],
  ...["--fault-fail", "0.05", "--fault-crash", "0.005", "--fault-hang", "0.001"],
  ...["--handlers", HANDLERS, "--allow-private-http"],
];

const MIB = 1_048_576;
/** A heap breathes, and for a while it grows; what leaks is more than this between two thirds. */
const GROWTH_MIB = { full: 32, quick: 64 };
const GROWTH_DESCRIPTORS = 8;
/** The WAL is copied into the database from 16 MiB on; a reader may put that off for a moment. */
const WAL_MIB = 64;

const KILL_EVERY_MS = 10_000;
const SAMPLE_MS = 500;
const BACKLOG = 200;

interface Sample {
  readonly memoryMib: number;
  readonly descriptors: number;
  /** A server's is its own business. */
  readonly walMib: number;
}

export const soak: Experiment = {
  name: "soak",
  about: "mixed load with faults for a long time: memory, descriptors and WAL stay flat",
  limitMs: ({ soakMs }) => soakMs + 180_000,

  async run({ random, soakMs, pick, progress }: ProveContext): Promise<Figure[]> {
    await using sandbox = await Sandbox.create();
    const server = await sandbox.serve([
      ...["--workers", "2", "--allow-commands", "--upload-limit", "2MiB", ...FLAGS],
    ]);
    let worker = await sandbox.worker(["-n", "1", ...FLAGS]);
    const store = await look(sandbox.db);
    let backlog = 0;
    const submitter = new Submitter({
      ...{ url: () => server.url, clients: 4, random, pauseMs: 10 },
      command: { line: "sleep 0.02; echo done", oneOf: 20 },
      limit: () => backlog > BACKLOG,
    });
    const errands = await Errands.begin({
      ...{ url: () => server.url, db: sandbox.db, random, pauseMs: ERRAND_PAUSE_MS },
      limit: () => backlog > BACKLOG,
    });
    const reader = new Reader(server, submitter, random);
    const samples: Sample[] = [];
    let kills = 0;
    const startedMs = performance.now();
    try {
      while (performance.now() - startedMs < soakMs) {
        await pause(SAMPLE_MS);
        samples.push(take(server, sandbox.db));
        const { counts } = await store.stats(Date.now());
        backlog = counts.pending + counts.failed;
        if (performance.now() - startedMs > (kills + 1) * KILL_EVERY_MS) {
          await worker.kill();
          worker = await sandbox.worker(["-n", "1", ...FLAGS]);
          if (++kills % 6 === 0) progress(`${submitter.promised.size} jobs, ${show(samples)}`);
        }
      }
    } finally {
      await reader.stop();
      await submitter.stop();
      await errands.stop();
    }
    await allFinished(store, 120_000);
    const audited = [
      ...await audit(store, submitter.promised),
      ...await errands.audit(store, await allJobs(store)),
    ];
    await store[Symbol.asyncDispose]();
    const deaths = server.log("worker.died");
    const died = (what: string) => deaths.filter(({ reason }) => reason === what).length;
    const [{ code }] = await Promise.all([server.stop(), worker.stop()]);
    const grown = growthOf(samples);
    return [
      { what: "time", found: Math.round(soakMs / 1_000), unit: "s" },
      ...audited,
      none("answers that nothing explains", [...submitter.strange, ...reader.strange]),
      {
        what: "reads and cancels",
        found: reader.calls,
        note: `${died("crash")} threads crashed, ${died("hang")} hung, ${kills} processes killed`,
      },
      {
        what: "memory grown from the second to the last third",
        ...{
          found: grown.memoryMib,
          unit: "MiB",
          wanted: { atMost: pick(GROWTH_MIB.full, GROWTH_MIB.quick) },
        },
        note: show(samples),
      },
      {
        what: "descriptors grown from the second to the last third",
        ...{ found: grown.descriptors, wanted: { atMost: GROWTH_DESCRIPTORS } },
      },
      {
        what: "largest WAL",
        found: Math.max(...samples.map(({ walMib }) => walMib)),
        ...{ unit: "MiB", wanted: { atMost: WAL_MIB } },
      },
      none("bad end of the server", code === 0 ? [] : [`exit code ${code}`]),
    ];
  },
};

/** Looks at jobs and pages of them, and cancels one that is in nobody's books. */
class Reader {
  calls = 0;
  readonly strange: string[] = [];
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(server: Running, submitter: Submitter, random: () => number) {
    this.#running = this.#run(server, submitter, random);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(server: Running, { promised }: Submitter, random: () => number): Promise<void> {
    const api = apiOf(server);
    for (; !this.#isStopped; this.calls++) {
      const id = [...promised.keys()].at(-1 - Math.floor(random() * 100)) ?? "none";
      const get = (path: string) => api.get(path);
      const answer = await oneOf(random, [
        () => get(`/jobs/${id}`),
        () => get(`/jobs/${id}/result`),
        () => get("/jobs?limit=100&state=completed"),
        () => get("/stats"),
        () => get("/workers"),
        async () => {
          const { body } = await api.post("/jobs", { command: "sleep 5", delay: "1h" });
          return await api.post(`/jobs/${body.job_id}/cancel`);
        },
      ])();
      if (![200, 202, 404].includes(answer.status)) this.strange.push(answer.text.slice(0, 200));
      await pause(20);
    }
  }
}

function take({ pid }: Running, db: string): Sample {
  return {
    memoryMib: Math.round(memoryBytes(pid) / MIB),
    descriptors: descriptorCount(pid),
    walMib: isPostgresUrl(db) ? 0 : Math.round(Deno.statSync(`${db}-wal`).size / MIB),
  };
}

/** Medians, so that a moment does not decide. The first third is for warming up. */
function growthOf(samples: readonly Sample[]): Sample {
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const grown = (what: keyof Sample) => median(last, what) - median(middle, what);
  return {
    memoryMib: grown("memoryMib"),
    descriptors: grown("descriptors"),
    walMib: grown("walMib"),
  };
}

function median(samples: readonly Sample[], what: keyof Sample): number {
  const sorted = samples.map((sample) => sample[what]).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function show(samples: readonly Sample[]): string {
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return `${first.memoryMib} to ${last.memoryMib} MiB, ${first.descriptors} to ` +
    `${last.descriptors} descriptors, WAL ${first.walMib} to ${last.walMib} MiB`;
}
