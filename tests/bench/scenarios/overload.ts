/** Whether the queue stays answerable, and goes on working, with more submits than it can run. */
import { runLoad } from "../load/run_load.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { type RunningServer, startServe } from "../servers.ts";

export const overload: Scenario = {
  name: "overload",
  about: "status reads and claims while twice as much is submitted as can be run",
  run: runOverload,
};

/** Readers beside the load: enough for a 99th percentile, too few to be load themselves. */
const READS = { mode: "status", connections: 8, perSecond: 200 } as const;

const WARMUP_MS = 500;

async function runOverload(context: BenchContext): Promise<Row[]> {
  const slow = await overloadSlowWork(context);
  const flatOut = await submitFlatOut(context);
  return [
    {
      what: "status reads, p99, submits at twice the drain",
      unit: "ms",
      ours: slow.readP99Ms,
      bare: null,
      better: "lower",
      wanted: { value: 20 },
      note: `2 workers that take 1 ms and more for a job, ${slow.submitted.toFixed(0)} submits/s`,
    },
    {
      what: "  submits answered",
      unit: "1/s",
      ours: slow.submitted,
      bare: slow.offered,
      better: "higher",
      wanted: { ratio: 0.98 },
      note: "compared with those offered",
    },
    {
      what: "  submits and reads refused",
      unit: "",
      ours: slow.refused,
      bare: null,
      better: "lower",
      wanted: { value: 0 },
    },
    {
      what: "  jobs completed meanwhile",
      unit: "jobs/s",
      ours: slow.drainedUnderLoad,
      bare: slow.drainedAlone,
      better: "higher",
      wanted: { ratio: 0.8 },
      note: "compared with the same backlog without submits",
    },
    {
      what: "status reads, p99, 64 connections submit flat out",
      unit: "ms",
      ours: flatOut.readP99Ms,
      bare: null,
      better: "lower",
      wanted: { value: 20 },
      note: `${flatOut.submitted.toFixed(0)} submits/s`,
    },
    {
      what: "  jobs completed meanwhile",
      unit: "jobs/s",
      ours: flatOut.drained,
      bare: flatOut.submitted,
      better: "higher",
      wanted: null,
      note: "compared with the submits of that time",
    },
  ];
}

/** Work that takes so long that a steady stream of submits is twice what can be drained. */
async function overloadSlowWork(context: BenchContext) {
  await using directory = context.scratch.directory();
  await using server = await startServe(directory.path, {
    args: ["--workers", "2", "--simulated-work", "1ms"],
  });
  context.progress("building a backlog");
  const backlog = { mode: "json", connections: 64, warmupMs: 0 } as const;
  await runLoad(server, { ...backlog, measureMs: context.pick(3_000, 1_000) });
  context.progress("draining alone");
  const aloneMs = context.pick(3_000, 1_000);
  const drainedAlone = await completedPerSecond(
    server,
    new Promise((resolve) => setTimeout(resolve, aloneMs)),
  );
  const offered = Math.round(drainedAlone * 2);
  context.progress(`submitting ${offered} jobs a second`);
  const times = { warmupMs: WARMUP_MS, measureMs: context.pick(20_000, 4_000) };
  const loads = Promise.all([
    runLoad(server, { mode: "json", connections: 64, perSecond: offered, ...times }),
    runLoad(server, { ...READS, ...times }),
  ]);
  const drainedUnderLoad = await completedPerSecond(server, loads);
  const [submits, reads] = await loads;
  return {
    offered,
    drainedAlone,
    drainedUnderLoad,
    submitted: submits.perSecond,
    refused: submits.refused + reads.refused,
    readP99Ms: reads.p99Ms,
  };
}

/** Trivial work, and submits as fast as they are answered. */
async function submitFlatOut(context: BenchContext) {
  await using directory = context.scratch.directory();
  await using server = await startServe(directory.path, { args: ["--workers", "2"] });
  context.progress("submitting flat out");
  const times = { warmupMs: WARMUP_MS, measureMs: context.pick(5_000, 2_000) };
  const loads = Promise.all([
    runLoad(server, { mode: "json", connections: 64, ...times }),
    runLoad(server, { ...READS, ...times }),
  ]);
  const drained = await completedPerSecond(server, loads);
  const [submits, reads] = await loads;
  return { drained, submitted: submits.perSecond, readP99Ms: reads.p99Ms };
}

/** Jobs completed per second until the promise resolves. */
async function completedPerSecond(server: RunningServer, until: Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  const before = await completed(server);
  await until;
  return (await completed(server) - before) / (performance.now() - startMs) * 1_000;
}

async function completed({ port }: RunningServer): Promise<number> {
  const stats = await (await fetch(`http://127.0.0.1:${port}/stats`)).json();
  return stats.jobs.completed;
}
