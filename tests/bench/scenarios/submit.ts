/** How many durable submits a second are answered over HTTP. */
import { runLoad, type ServerLoad } from "../load/run_load.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { type RunningServer, startBareServer, startServe } from "../servers.ts";

export const submit: Scenario = {
  name: "submit",
  about: "durable submits over HTTP: JSON and uploads, 64 connections and one, also while working",
  run: runSubmit,
};

/** One load after the other on the same server; `working` needs one with workers. */
const LOADS = {
  json: { mode: "json", connections: 64 },
  upload: { mode: "upload", connections: 64 },
  single: { mode: "json", connections: 1 },
} as const;

type LoadName = keyof typeof LOADS;

async function runSubmit(context: BenchContext): Promise<Row[]> {
  const { ours, bare } = await alternate(context, {
    async ours() {
      await using idleDirectory = context.scratch.directory();
      await using busyDirectory = context.scratch.directory();
      const alone = await loadAll(context, {
        start: () => startServe(idleDirectory.path, { args: ["--workers", "0"] }),
        names: ["json", "upload", "single"],
      });
      const working = await loadAll(context, {
        start: () => startServe(busyDirectory.path, { args: ["--workers", "2"] }),
        names: ["json", "upload"],
        prefix: "working.",
      });
      return { ...alone, ...working };
    },
    async bare() {
      await using directory = context.scratch.directory();
      return await loadAll(context, {
        start: () => startBareServer(directory.path),
        names: ["json", "upload", "single"],
      });
    },
  });

  const perSecond = (what: string, name: LoadName, prefix: string, ratio: number | null): Row => ({
    what,
    unit: "1/s",
    ours: ours[`${prefix}${name}.perSecond`]!,
    bare: bare[`${name}.perSecond`]!,
    better: "higher",
    wanted: ratio === null ? null : { ratio },
  });
  const lower = (what: string, unit: string, name: LoadName, figure: string): Row => ({
    what,
    unit,
    ours: ours[`${name}.${figure}`]!,
    bare: bare[`${name}.${figure}`]!,
    better: "lower",
    wanted: null,
  });
  return [
    perSecond("JSON, 64 connections", "json", "", 0.8),
    lower("  p50", "ms", "json", "p50Ms"),
    lower("  p99", "ms", "json", "p99Ms"),
    lower("  CPU of the server for one", "µs", "json", "serverCpuUs"),
    perSecond("upload, 64 connections", "upload", "", 0.8),
    lower("  p50", "ms", "upload", "p50Ms"),
    lower("  p99", "ms", "upload", "p99Ms"),
    lower("  CPU of the server for one", "µs", "upload", "serverCpuUs"),
    perSecond("JSON while 2 workers run the jobs", "json", "working.", 0.5),
    perSecond("upload while 2 workers run the jobs", "upload", "working.", 0.5),
    perSecond("JSON, one connection", "single", "", null),
    lower("  p50", "ms", "single", "p50Ms"),
    lower("  p99", "ms", "single", "p99Ms"),
  ];
}

async function loadAll(
  context: BenchContext,
  { start, names, prefix = "" }: {
    start: () => Promise<RunningServer>;
    names: readonly LoadName[];
    prefix?: string;
  },
): Promise<Record<string, number>> {
  await using server = await start();
  const figures: Record<string, number> = {};
  for (const name of names) {
    const load: ServerLoad = await runLoad(server, {
      ...LOADS[name],
      warmupMs: context.pick(1_000, 500),
      measureMs: context.pick(1_200, 600),
    });
    for (const [figure, value] of Object.entries(load)) {
      figures[`${prefix}${name}.${figure}`] = value;
    }
  }
  return figures;
}
