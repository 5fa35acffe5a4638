/**
 * `kill -9` at random: server, worker processes, commands, handlers, guardians, while jobs of all
 * kinds are submitted and run. Everything that is killed is started again at once, as an init system
 * would.
 */
import { fileURLToPath } from "node:url";
import { pause } from "../../../src/lib/pause.ts";
import type { Job } from "../../../src/job/job.ts";
import { isFinished, isLeased, STATES } from "../../../src/job/state.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { eventually } from "../../helpers/eventually.ts";
import {
  childrenOf,
  describeProcess,
  environmentOf,
  killAll,
  processesWhere,
} from "../../helpers/processes.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { allFinished, allJobs, audit, look } from "../books.ts";
import { Errands } from "../errands/errands.ts";
import { type Experiment, type Figure, none, type ProveContext, worst } from "../experiment.ts";
import { between, oneOf } from "../random.ts";
import { Submitter } from "../submitter.ts";

const LEASE_MS = 2_000;
const REAP_MS = 500;
/** What the promise allows on top, for a busy machine. */
const GRACE_MS = 15_000;
const ORPHAN_LIMIT_MS = 15_000;

const HANDLERS = fileURLToPath(new URL("../errands/handlers.ts", import.meta.url));

const FLAGS = [
  ...["--lease", `${LEASE_MS}ms`, "--reap-interval", `${REAP_MS}ms`, "--backoff-base", "0.1"],
  ...["--max-retries", "1000", "--simulated-work", "20ms"],
  ...["--handlers", HANDLERS, "--allow-private-http"],
];
const SERVER_FLAGS = [
  ...["--workers", "2", "--allow-commands", "--upload-limit", "2MiB", ...FLAGS],
];

/** Leaves a process behind, which only the end of the whole group ends. */
const COMMAND = "sleep 300 & sleep 0.3; echo $QUEUECTL_ATTEMPT";

const VICTIMS = ["server", "worker process", "job's process", "guardian"] as const;
type Victim = typeof VICTIMS[number];

const DRAIN_LIMIT_MS = 180_000;

/** Of each special kind of job, between two submits. */
const ERRAND_PAUSE_MS = 200;

const LIVE = STATES.filter((state) => !isFinished(state));

/** Jobs that may wait, so that the end does not take longer than the kills. */
const BACKLOG = 150;

export const kills: Experiment = {
  name: "kills",
  about: "kill -9 of server, workers, commands, handlers and guardians, while jobs come and run",
  limitMs: ({ pick }) => pick(30 * 60_000, 600_000),

  async run(context: ProveContext): Promise<Figure[]> {
    const { random, pick, progress } = context;
    const goal = pick(200, 20);
    await using sandbox = await Sandbox.create();
    const scene = await Scene.open(sandbox);
    let backlog = 0;
    const submitter = new Submitter({
      url: () => scene.server.url,
      ...{ clients: 4, random, pauseMs: 15, command: { line: COMMAND, oneOf: 6 } },
      limit: () => backlog > BACKLOG,
    });
    const errands = await Errands.begin({
      ...{ url: () => scene.server.url, db: sandbox.db, random, pauseMs: ERRAND_PAUSE_MS },
      limit: () => backlog > BACKLOG,
    });
    const done = new Map<Victim, number>(VICTIMS.map((victim) => [victim, 0]));
    const watches: Promise<void>[] = [];
    const finished = new Map<string, Job>();
    let killed = 0;
    try {
      while (killed < goal) {
        await pause(between(random, 50, 400));
        const victim = oneOf(random, VICTIMS);
        if (!await scene.kill(victim, (watch) => watches.push(watch), random)) continue;
        done.set(victim, done.get(victim)! + 1);
        if (++killed % 25 === 0) progress(`${killed} kills, ${submitter.promised.size} jobs`);
        const { counts } = await scene.store.stats(Date.now());
        backlog = counts.pending + counts.failed;
        // One statement, and so one moment.
        errands.look((await scene.store.list({ states: LIVE, limit: 1_000 })).jobs);
        for (const job of (await scene.store.list({ states: ["completed"], limit: 50 })).jobs) {
          if (!finished.has(job.id)) finished.set(job.id, job);
        }
      }
    } finally {
      await submitter.stop();
      await errands.stop();
    }
    await Promise.all(watches);
    const endedAtMs = performance.now();
    const unfinished = await allFinished(scene.store, DRAIN_LIMIT_MS).then(() => [], messageOf);
    const drainMs = performance.now() - endedAtMs;

    const jobs = await allJobs(scene.store);
    const interrupted = jobs.filter((job) => job.attempts > 0).length;
    const figures: Figure[] = [
      {
        what: "kills",
        found: killed,
        wanted: { is: goal },
        note: [...done].map(([victim, count]) => `${victim} ${count}`).join(", "),
      },
      ...await audit(scene.store, submitter.promised),
      { what: "jobs that a kill interrupted", found: interrupted, wanted: { atLeast: 1 } },
      none("results recorded twice", [
        ...scene.completedTwice(),
        ...jobs.filter((job) => isChanged(finished.get(job.id), job)).map(({ id }) => id),
      ]),
      none("answers that nothing explains", submitter.strange),
      worst("worst time until a lost job could be claimed", scene.recoveriesMs, LIMIT_MS),
      none("jobs that were stuck", scene.stuck),
      none("jobs that did not come to their end", unfinished),
      none("processes left behind by a killed one", scene.orphans),
      worst("worst time until they were gone", scene.orphanMs, ORPHAN_LIMIT_MS),
      { what: "all done after the last kill", found: Math.round(drainMs), unit: "ms" },
      ...await errands.audit(scene.store, jobs),
    ];
    await scene.close();
    return figures;
  },
};

const LIMIT_MS = LEASE_MS + REAP_MS + GRACE_MS;

const messageOf = (error: Error) => [error.message];

/** What a job says once it is completed must never change again. */
function isChanged(before: Job | undefined, now: Job): boolean {
  return before !== undefined && JSON.stringify(before) !== JSON.stringify(now);
}

/** A server and two worker processes on one database, and an eye on what their deaths do. */
class Scene {
  readonly recoveriesMs: number[] = [];
  readonly stuck: string[] = [];
  readonly orphans: string[] = [];
  readonly orphanMs: number[] = [];
  readonly #ever: Running[] = [];
  #workers: Running[] = [];

  private constructor(readonly sandbox: Sandbox, readonly store: JobStore, public server: Running) {
    this.#ever.push(server);
  }

  static async open(sandbox: Sandbox): Promise<Scene> {
    const server = await sandbox.serve(SERVER_FLAGS);
    const scene = new Scene(sandbox, await look(sandbox.db), server);
    scene.#workers = [await scene.#startWorker(), await scene.#startWorker()];
    return scene;
  }

  /** Kills one; false when there was none of the kind. */
  async kill(
    victim: Victim,
    watch: (watching: Promise<void>) => void,
    random: () => number,
  ): Promise<boolean> {
    switch (victim) {
      case "server":
        await this.#killService(this.server, watch);
        this.server = await this.sandbox.serve(SERVER_FLAGS);
        this.#ever.push(this.server);
        return true;
      case "worker process": {
        const index = Math.floor(random() * this.#workers.length);
        await this.#killService(this.#workers[index]!, watch);
        this.#workers[index] = await this.#startWorker();
        return true;
      }
      case "job's process": {
        const pids = this.sandbox.processes().filter((pid) => markOf(pid) !== null);
        if (pids.length === 0) return false;
        killAll([oneOf(random, pids)]);
        return true;
      }
      case "guardian": {
        const guardians = [this.server, ...this.#workers].flatMap(({ pid }) =>
          childrenOf(pid).filter(({ commandLine }) => commandLine.includes("guardian"))
        );
        if (guardians.length === 0) return false;
        killAll([oneOf(random, guardians).pid]);
        return true;
      }
    }
  }

  /** Jobs of which more than one process says that its success was recorded. */
  completedTwice(): string[] {
    const times = new Map<string, number>();
    for (const service of this.#ever) {
      for (const { job, state } of service.log("job.ended")) {
        if (state === "completed") times.set(job, (times.get(job) ?? 0) + 1);
      }
    }
    return [...times].filter(([, count]) => count > 1).map(([job]) => job);
  }

  async close(): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await Promise.all([this.server, ...this.#workers].map((service) => service.stop()));
  }

  async #startWorker(): Promise<Running> {
    const worker = await this.sandbox.worker(["-n", "2", "--log-format", "json", ...FLAGS]);
    this.#ever.push(worker);
    return worker;
  }

  async #killService(service: Running, watch: (watching: Promise<void>) => void): Promise<void> {
    const mine = (await this.store.workers()).filter(({ pid }) => pid === service.pid);
    const held = mine.flatMap(({ jobId }) => jobId === null ? [] : [jobId]);
    const jobs = await Promise.all(held.map((id) => this.store.find(id)));
    const killedAtMs = performance.now();
    await service.kill();
    const holder = mine[0]?.holder;
    for (const job of jobs) {
      if (job !== null && isLeased(job.state) && job.leaseHolder === holder) {
        watch(this.#watchRecovery(job, killedAtMs));
      }
    }
    if (holder !== undefined) watch(this.#watchOrphans(holder, killedAtMs));
  }

  async #watchRecovery(before: Job, killedAtMs: number): Promise<void> {
    try {
      await eventually(async () => {
        const job = await this.store.find(before.id);
        return job === null || !isLeased(job.state) || job.token !== before.token;
      }, { what: "the job was taken back", timeoutMs: LIMIT_MS, everyMs: 50 });
      this.recoveriesMs.push(performance.now() - killedAtMs);
    } catch {
      this.stuck.push(before.id);
    }
  }

  async #watchOrphans(holder: string, killedAtMs: number): Promise<void> {
    let left: number[] = [];
    try {
      await eventually(() => {
        left = processesWhere((entries) => entries.some((entry) => entry.startsWith(mark(holder))));
        return left.length === 0;
      }, { what: "they were gone", timeoutMs: ORPHAN_LIMIT_MS, everyMs: 50 });
      this.orphanMs.push(performance.now() - killedAtMs);
    } catch {
      this.orphans.push(...left.map(describeProcess));
      killAll(left);
    }
  }
}

const mark = (holder: string) => `QUEUECTL_JOB_MARK=${holder}:`;

function markOf(pid: number): string | null {
  return environmentOf(pid).find((entry) => entry.startsWith("QUEUECTL_JOB_MARK=")) ?? null;
}
