/** How fast waiting jobs are run, and jobs that are added meanwhile. */
import { runModule } from "../child.ts";
import { runLoad } from "../load/run_load.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { startServe } from "../servers.ts";

export interface DrainOptions {
  readonly directory: string;
  /** Instead of a file in the directory; only for queuectl. */
  readonly db?: string;
  readonly jobs: number;
  readonly payloadBytes: number;
  /** Callers that add, each waiting for its job to be durable before it adds the next. */
  readonly inFlight: number;
  readonly workers: number;
  /** What is said of the queue, or of its jobs; nothing unless given. */
  readonly flow?: "limits" | "keys";
}

export type DrainFigures = {
  readonly drainPerSecond: number;
  readonly addAndDrainPerSecond: number;
};

export const drain: Scenario = {
  name: "drain",
  about: "trivial jobs run by 2 workers: waiting, added meanwhile, and over HTTP end to end",
  run: runDrain,
};

async function runDrain(context: BenchContext): Promise<Row[]> {
  const figuresOf = async (program: string) => {
    await using directory = context.scratch.directory();
    return await runModule<DrainFigures>(
      program,
      {
        directory: directory.path,
        jobs: context.pick(60_000, 20_000),
        payloadBytes: 100,
        inFlight: 64,
        workers: 2,
      } satisfies DrainOptions,
    );
  };
  const { ours, bare } = await alternate(context, {
    ours: () => figuresOf("./ours/drain.ts"),
    bare: () => figuresOf("./bare/drain.ts"),
  });
  const overHttp = await alternate(context, {
    ours: () => submitOverHttp(context, "end-to-end", 2),
    bare: () => submitOverHttp(context, "json", 0),
  });
  return [
    {
      what: "waiting jobs",
      unit: "jobs/s",
      ours: ours.drainPerSecond,
      bare: bare.drainPerSecond,
      better: "higher",
      wanted: { ratio: 0.6 },
      note: "bare: one thread settles and claims 100 jobs per commit, under leases with a token",
    },
    {
      what: "added and drained, 64 in flight",
      unit: "jobs/s",
      ours: ours.addAndDrainPerSecond,
      bare: bare.addAndDrainPerSecond,
      better: "higher",
      wanted: { value: 30_000 },
      note: "bare: the same loop also inserts 64 jobs per commit",
    },
    {
      what: "submit, run, read the result over HTTP",
      unit: "jobs/s",
      ours: overHttp.ours.perSecond,
      bare: overHttp.bare.perSecond,
      better: "higher",
      wanted: { ratio: 0.5 },
      note: "compared with queuectl's own submit alone, without workers; 64 connections, each " +
        "reading the result of the job that it submitted 8 jobs before",
    },
  ];
}

async function submitOverHttp(
  context: BenchContext,
  mode: "end-to-end" | "json",
  workers: number,
): Promise<{ perSecond: number }> {
  await using directory = context.scratch.directory();
  await using server = await startServe(directory.path, { args: ["--workers", String(workers)] });
  const { perSecond } = await runLoad(server, {
    mode,
    connections: 64,
    warmupMs: context.pick(1_000, 500),
    measureMs: context.pick(1_200, 600),
  });
  return { perSecond };
}
