/**
 * Processes that hold leases are paused (SIGSTOP) until another one has run their jobs to the end,
 * then woken (SIGCONT). Their commands were not paused and have ended meanwhile, so that each one
 * wakes with a result in its hands, which nobody may take.
 */
import { isDeepStrictEqual } from "node:util";
import { isFinished, isLeased } from "../../../src/job/state.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { eventually } from "../../helpers/eventually.ts";
import { pauseBetweenCommits } from "../../helpers/pause.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { allJobs, look } from "../books.ts";
import { type Experiment, type Figure, none, type ProveContext, worst } from "../experiment.ts";

const LEASE_MS = 1_000;
const REAP_MS = 250;
const FLAGS = [
  ...["--lease", `${LEASE_MS}ms`, "--reap-interval", `${REAP_MS}ms`, "--backoff-base", "0.1"],
  ...["--max-retries", "100", "--log-format", "json"],
];
/** Lease, reap interval, and what the promise allows on top. */
const LIMIT_MS = LEASE_MS + REAP_MS + 15_000;

/** Processes that are paused together. */
const VICTIMS = 2;
const JOBS_EACH = 2;

/** The first attempt ends when it is told to; the others at once. */
const COMMAND = `
  touch "began-$QUEUECTL_JOB_ID-$QUEUECTL_ATTEMPT"
  if [ "$QUEUECTL_ATTEMPT" = 1 ]; then
    until [ -e "go-$QUEUECTL_JOB_ID" ]; do sleep 0.05; done
  fi
  echo "attempt $QUEUECTL_ATTEMPT"
`;

export const stop: Experiment = {
  name: "stop",
  about: "SIGSTOP of lease holders past their lease, then SIGCONT: no stale write is accepted",
  limitMs: ({ pick }) => pick(30 * 60_000, 400_000),

  async run({ pick, progress }: ProveContext): Promise<Figure[]> {
    const goal = pick(50, 8);
    await using sandbox = await Sandbox.create();
    const store = await look(sandbox.db);
    const stale: string[] = [];
    const unnoticed: string[] = [];
    const recoveriesMs: number[] = [];
    let stops = 0;
    let jobs = 0;
    while (stops < goal) {
      const round = await Round.begin(sandbox, store, `r${stops}`);
      recoveriesMs.push(await round.pauseUntilTakenOver());
      stale.push(...await round.wake());
      unnoticed.push(...round.unnoticed());
      await round.end();
      stops += VICTIMS;
      jobs += VICTIMS * JOBS_EACH;
      if (stops % 10 === 0) progress(`${stops} stops`);
    }
    const unfinished = (await allJobs(store)).filter((job) => job.state !== "completed");
    await store[Symbol.asyncDispose]();
    return [
      { what: "processes stopped past their lease", found: stops, wanted: { atLeast: goal } },
      { what: "jobs that they held", found: jobs },
      none("stale writes accepted", stale),
      none("sleepers that did not notice", unnoticed),
      none("jobs not completed", unfinished.map(({ id, state }) => `${id} is ${state}`)),
      worst("worst time from the stop to the job's end elsewhere", recoveriesMs, LIMIT_MS),
    ];
  },
};

/** Some processes, the jobs in their hands, and a process that takes them over. */
class Round {
  #before: unknown[] = [];

  private constructor(
    readonly sandbox: Sandbox,
    readonly store: JobStore,
    readonly victims: readonly Running[],
    readonly ids: readonly string[],
  ) {}

  static async begin(sandbox: Sandbox, store: JobStore, name: string): Promise<Round> {
    const ids = Array.from({ length: VICTIMS * JOBS_EACH }, (_, index) => `${name}-${index}`);
    await sandbox.enqueue(ids.map((id) => ({ id, command: COMMAND, max_retries: 100 })));
    const victims = await Promise.all(
      Array.from({ length: VICTIMS }, () => sandbox.worker(["-n", `${JOBS_EACH}`, ...FLAGS])),
    );
    await eventually(() => ids.every((id) => sandbox.has(`began-${id}-1`)), {
      what: "every job had begun",
    });
    return new Round(sandbox, store, victims, ids);
  }

  /** Returns how long it took until the last job had ended elsewhere. */
  async pauseUntilTakenOver(): Promise<number> {
    const heir = await this.sandbox.worker(["-n", `${VICTIMS * JOBS_EACH}`, ...FLAGS]);
    for (const victim of this.victims) await pauseBetweenCommits(victim, this.sandbox.db);
    const stoppedAtMs = performance.now();
    await eventually(async () => (await this.#jobs()).every((job) => isFinished(job.state)), {
      what: "another process ran the jobs to their end",
      timeoutMs: 3 * LIMIT_MS,
      everyMs: 50,
    });
    const tookMs = performance.now() - stoppedAtMs;
    await heir.stop();
    this.#before = await this.#records();
    // The sleepers' commands end well now.
    for (const id of this.ids) this.sandbox.touch(`go-${id}`);
    return tookMs;
  }

  /** Lets them go on; returns the jobs that changed by that. */
  async wake(): Promise<string[]> {
    for (const victim of this.victims) victim.signal("SIGCONT");
    await eventually(() => this.unnoticed().length === 0, {
      what: "they noticed",
      timeoutMs: LIMIT_MS,
    }).catch(() => {}); // it is a figure of its own
    const after = await this.#records();
    return this.ids.filter((_, index) => !isDeepStrictEqual(this.#before[index], after[index]));
  }

  /** Leases whose loss was not told by the one who had held it. */
  unnoticed(): string[] {
    const noticed = this.victims.flatMap((victim) =>
      victim.log("lease.lost").map(({ job }) => job)
    );
    return this.ids.filter((id) => !noticed.includes(id));
  }

  async end(): Promise<void> {
    await Promise.all(this.victims.map((victim) => victim.stop()));
  }

  async #jobs() {
    const jobs = await Promise.all(this.ids.map((id) => this.store.find(id)));
    return jobs.map((job) => job!);
  }

  /** All that is kept of the jobs: themselves, their attempts, what these printed. */
  async #records(): Promise<unknown[]> {
    return await Promise.all((await this.#jobs()).map(async (job) => {
      if (isLeased(job.state)) return job.state;
      const attempts = await this.store.attempts(job.seq);
      const tokens = [...attempts.map(({ token }) => token), job.token];
      const output = await Promise.all(
        tokens.map((token) => this.store.output({ seq: job.seq, token })),
      );
      return { job, attempts, output };
    }));
  }
}
