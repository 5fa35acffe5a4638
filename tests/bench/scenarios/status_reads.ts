/** How many reads of a job's status a second are answered over HTTP. */
import { runLoad } from "../load/run_load.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { type RunningServer, startBareServer, startServe } from "../servers.ts";

export const statusReads: Scenario = {
  name: "status-reads",
  about: "reads of a job's status over HTTP, 64 connections",
  run: runStatusReads,
};

async function runStatusReads(context: BenchContext): Promise<Row[]> {
  const load = async (start: (directory: string) => Promise<RunningServer>) => {
    await using directory = context.scratch.directory();
    await using server = await start(directory.path);
    const result = await runLoad(server, {
      mode: "status",
      connections: 64,
      warmupMs: context.pick(1_000, 500),
      measureMs: context.pick(1_200, 600),
    });
    return { ...result };
  };
  const { ours, bare } = await alternate(context, {
    ours: () => load((directory) => startServe(directory, { args: ["--workers", "0"] })),
    bare: () => load(startBareServer),
  });
  const lower = (what: string, unit: string, figure: "p50Ms" | "p99Ms" | "serverCpuUs"): Row => ({
    what,
    unit,
    ours: ours[figure],
    bare: bare[figure],
    better: "lower",
    wanted: null,
  });
  return [
    {
      what: "status, 64 connections",
      unit: "1/s",
      ours: ours.perSecond,
      bare: bare.perSecond,
      better: "higher",
      wanted: { ratio: 0.8 },
      note: "bare: answers with the same columns of a row by its id, times as numbers",
    },
    lower("  p50", "ms", "p50Ms"),
    lower("  p99", "ms", "p99Ms"),
    lower("  CPU of the server for one", "µs", "serverCpuUs"),
  ];
}
