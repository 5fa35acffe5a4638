/**
 * The power goes while jobs are submitted and run. With `synchronous=full` nothing that was
 * acknowledged may be missing afterwards; with `normal` something must be, or the cuts cut nothing.
 */
import { join } from "node:path";
import { isFinished } from "../../../src/job/state.ts";
import { apiOf } from "../../helpers/api.ts";
import { eventually } from "../../helpers/eventually.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { allFinished, allJobs, audit, look } from "../books.ts";
import { CuttableDisk } from "../disks.ts";
import { type Experiment, type Figure, none, type ProveContext, worst } from "../experiment.ts";
import { between } from "../random.ts";
import { Submitter } from "../submitter.ts";

const FLAGS = [
  ...["--workers", "1", "--lease", "2s", "--reap-interval", "500ms", "--backoff-base", "0.1"],
  ...["--max-retries", "1000"],
];

/** Submits acknowledged before a cut. */
const MIN_SUBMITS = 20;

/** Cuts with `synchronous=normal` until one of them has lost something. */
const MOST_CUTS_NORMAL = 20;

/** What one cut did. */
interface Cut {
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly undone: readonly string[];
  readonly strange: readonly string[];
  readonly recoveredMs: number;
}

export const power: Experiment = {
  name: "power",
  about: "power cuts: the disk keeps what was synced; full loses nothing, normal does",
  isAboutTheFile: true,
  limitMs: ({ pick }) => pick(20 * 60_000, 120_000),

  async run(context: ProveContext): Promise<Figure[]> {
    const goal = context.pick(50, 5);
    const full = await cutOver(context, "full", (cuts) => cuts.length === goal);
    const normal = await cutOver(
      context,
      "normal",
      (cuts) => cuts.some(({ lost }) => lost.length > 0) || cuts.length === MOST_CUTS_NORMAL,
    );
    const lostByNormal = normal.cuts.reduce((sum, { lost }) => sum + lost.length, 0);
    return [
      { what: "cuts with synchronous=full", found: full.cuts.length, wanted: { is: goal } },
      none("acknowledged jobs missing after a cut", full.cuts.flatMap(({ lost }) => lost)),
      ...full.figures,
      none("results that clients had read and that were gone", full.cuts.flatMap((c) => c.undone)),
      none("answers that nothing explains", full.cuts.flatMap(({ strange }) => strange)),
      worst(
        "worst time from power on to ready",
        full.cuts.map(({ recoveredMs }) => recoveredMs),
        30_000,
      ),
      { what: "cuts with synchronous=normal", found: normal.cuts.length },
      {
        what: "acknowledged jobs that normal lost (else cuts prove nothing)",
        found: lostByNormal,
        wanted: { atLeast: 1 },
      },
    ];
  },
};

/** Cuts the power of one database again and again until it is enough. */
async function cutOver(
  { random, progress }: ProveContext,
  synchronous: "full" | "normal",
  isEnough: (cuts: readonly Cut[]) => boolean,
): Promise<{ cuts: Cut[]; figures: Figure[] }> {
  await using sandbox = await Sandbox.create();
  await using disk = await CuttableDisk.create(sandbox.path("disk"), 64);
  const db = join(disk.path, "queue.db");
  const start = () => sandbox.serve([...FLAGS, "--synchronous", synchronous], { db });
  let server: Running = await start();
  const submitter = new Submitter({
    ...{ url: () => server.url, clients: 4, random, pauseMs: 1 },
  });
  const cuts: Cut[] = [];
  try {
    while (!isEnough(cuts)) {
      const before = new Set(submitter.promised.keys());
      const goal = before.size + between(random, MIN_SUBMITS, 8 * MIN_SUBMITS);
      await eventually(() => submitter.promised.size >= goal, {
        what: `${goal} jobs were acknowledged`,
        timeoutMs: 30_000,
      });
      const readResults = await readFinished(server);
      // In the same turn as the cut: a machine without power acknowledges nothing. Here the server
      // lives on for a moment, and an fsync that was under way may be told success by a file system
      // that has been shut down in the middle of it.
      const promised = new Set(submitter.promised.keys());
      disk.cut();
      await server.kill();
      const late = [...submitter.promised.keys()].filter((id) => !promised.has(id));
      await disk.powerOff();

      const poweredAtMs = performance.now();
      await disk.powerOn();
      server = await start();
      const recoveredMs = performance.now() - poweredAtMs;
      const store = await look(db);
      const states = new Map((await allJobs(store)).map(({ id, state }) => [id, state]));
      await store[Symbol.asyncDispose]();
      const lost = [...promised].filter((id) => !states.has(id));
      // Lost once is enough: they are not counted again after the next cut.
      for (const id of [...lost, ...late]) {
        if (!states.has(id)) submitter.promised.delete(id);
      }
      cuts.push({
        acknowledged: promised.size - before.size,
        lost,
        undone: readResults.filter((id) => !isFinished(states.get(id) ?? "pending")),
        strange: submitter.strange.splice(0),
        recoveredMs,
      });
      if (cuts.length % 5 === 0) progress(`${cuts.length} cuts with ${synchronous}`);
    }
  } finally {
    await submitter.stop();
  }
  const store = await look(db);
  await allFinished(store, 60_000);
  const figures = await audit(store, submitter.promised);
  await store[Symbol.asyncDispose]();
  await server.stop();
  return { cuts, figures };
}

/** Jobs that a client is told are done. Asked of the server: to open the database would sync it. */
async function readFinished(server: Running): Promise<string[]> {
  const { body } = await apiOf(server).get("/jobs?state=completed&limit=500");
  return body.jobs.map((job: { job_id: string }) => job.job_id);
}
