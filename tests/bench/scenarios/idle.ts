/** How soon an idle queue starts a job, and what it costs to be idle. */
import { pause } from "../../../src/lib/pause.ts";
import { runModule } from "../child.ts";
import type { IdleFigures, IdleOptions } from "../idle_samples.ts";
import { cpuMs } from "../process_usage.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { startServe } from "../servers.ts";

export const idle: Scenario = {
  name: "idle",
  about: "from submit to start on an idle queue, within and across processes; idle CPU of serve",
  run: runIdle,
};

async function runIdle(context: BenchContext): Promise<Row[]> {
  const sample = async (program: string) => {
    await using directory = context.scratch.directory();
    const samples = context.pick(120, 80);
    const options: IdleOptions = { directory: directory.path, samples };
    return await runModule<IdleFigures>(program, options);
  };
  const same = await alternate(context, {
    ours: () => sample("./ours/idle_same.ts"),
    bare: () => sample("./bare/idle_same.ts"),
  });
  const across = await alternate(context, {
    ours: () => sample("./ours/idle_across.ts"),
    bare: () => sample("./bare/idle_across.ts"),
  });
  const rows = (what: string, { ours, bare }: typeof same, note: string): Row[] => [
    {
      what: `submit to start, ${what}, p50`,
      unit: "ms",
      ours: ours.p50Ms,
      bare: bare.p50Ms,
      better: "lower",
      wanted: { ratio: 2 },
      note,
    },
    {
      what: `submit to start, ${what}, p99`,
      unit: "ms",
      ours: ours.p99Ms,
      bare: bare.p99Ms,
      better: "lower",
      wanted: { ratio: 3 },
    },
  ];
  return [
    ...rows("same process", same, "bare: a commit that inserts, a commit that claims"),
    ...rows("across processes", across, "bare: the claimer is woken by a change of the WAL file"),
    {
      what: "CPU of an idle serve",
      unit: "% of a core",
      ours: await idleCpuPercent(context),
      bare: null,
      better: "lower",
      wanted: { value: 0.5 },
    },
  ];
}

async function idleCpuPercent(context: BenchContext): Promise<number> {
  const watchedMs = context.pick(10_000, 4_000);
  context.progress(`watching an idle serve for ${watchedMs / 1_000} s`);
  await using directory = context.scratch.directory();
  await using server = await startServe(directory.path, { args: ["--workers", "2"] });
  await pause(1_500);
  const beforeMs = cpuMs(server.pid);
  await pause(watchedMs);
  return (cpuMs(server.pid) - beforeMs) / watchedMs * 100;
}
