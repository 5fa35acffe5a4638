/** What the queue costs on PostgreSQL: the figures of the other scenarios, beside queuectl on SQLite. */
import { runModule } from "../child.ts";
import type { IdleFigures, IdleOptions } from "../idle_samples.ts";
import { type LoadOptions, runLoad } from "../load/run_load.ts";
import { type PostgresServer, startPostgresServer } from "../postgres_server.ts";
import { alternate, type Compared, type Figures } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { startServe } from "../servers.ts";
import type { DrainFigures, DrainOptions } from "./drain.ts";

export const postgres: Scenario = {
  name: "postgres",
  about: "queuectl on PostgreSQL beside queuectl on SQLite: submits, drain, status, idle",
  run: runPostgres,
};

/** One load after the other on the same server, each with so many workers. */
const LOADS = {
  json: { mode: "json", connections: 64, workers: 0 },
  upload: { mode: "upload", connections: 64, workers: 0 },
  single: { mode: "json", connections: 1, workers: 0 },
  status: { mode: "status", connections: 64, workers: 0 },
  "end-to-end": { mode: "end-to-end", connections: 64, workers: 2 },
} as const satisfies Record<
  string,
  Pick<LoadOptions, "mode" | "connections"> & { workers: number }
>;

type LoadName = keyof typeof LOADS;

const NOTE = "bare: queuectl on SQLite; PostgreSQL with its defaults, on the same disk";

async function runPostgres(context: BenchContext): Promise<Row[]> {
  await using server = await startPostgresServer(context.scratch);
  const rows: Row[] = [];
  for (const name of Object.keys(LOADS) as LoadName[]) {
    rows.push(...rowsOfLoad(name, await compare(server, context, (db) => load(name, db, context))));
  }
  const drained = await compare(server, context, (db) => drain(db, context));
  const perSecond = (what: string, figure: keyof DrainFigures): Row => ({
    ...{ what, unit: "jobs/s", better: "higher", wanted: null },
    ...{ ours: drained.ours[figure], bare: drained.bare[figure] },
  });
  rows.push(perSecond("waiting jobs", "drainPerSecond"));
  rows.push(perSecond("added and drained, 64 in flight", "addAndDrainPerSecond"));
  for (const [where, program] of [["same process", "same"], ["across processes", "across"]]) {
    const idle = await compare(
      server,
      context,
      (db) => sampleIdle(`./ours/idle_${program}.ts`, db, context),
    );
    const ms = (what: string, figure: keyof IdleFigures): Row => ({
      ...{ what: `submit to start, ${where}, ${what}`, unit: "ms", better: "lower", wanted: null },
      ...{ ours: idle.ours[figure], bare: idle.bare[figure] },
    });
    rows.push(ms("p50", "p50Ms"), ms("p99", "p99Ms"));
  }
  return [{ ...rows[0]!, note: NOTE }, ...rows.slice(1)];
}

/** On PostgreSQL and on SQLite, in turn. */
async function compare<F extends Figures>(
  server: PostgresServer,
  context: BenchContext,
  measure: (db: string) => Promise<F>,
): Promise<Compared<F, F>> {
  return await alternate(context, {
    names: ["PostgreSQL", "SQLite"],
    ours: async () => await measure(await server.database()),
    async bare() {
      await using directory = context.scratch.directory();
      return await measure(`${directory.path}/queue.db`);
    },
  });
}

async function load(name: LoadName, db: string, context: BenchContext) {
  const { workers, ...options } = LOADS[name];
  await using server = await startServe("", { db, args: ["--workers", String(workers)] });
  const { perSecond, p50Ms, p99Ms, serverCpuUs } = await runLoad(server, {
    ...options,
    warmupMs: context.pick(1_000, 500),
    measureMs: context.pick(1_200, 600),
  });
  return { perSecond, p50Ms, p99Ms, serverCpuUs };
}

type LoadFigures = Awaited<ReturnType<typeof load>>;

const LOAD_NAMES: Record<LoadName, string> = {
  json: "JSON, 64 connections",
  upload: "upload, 64 connections",
  single: "JSON, one connection",
  status: "status, 64 connections",
  "end-to-end": "submit, run, read the result over HTTP",
};

function rowsOfLoad(
  name: LoadName,
  { ours, bare }: Compared<LoadFigures, LoadFigures>,
): Row[] {
  const lower = (what: string, unit: string, figure: keyof LoadFigures): Row => ({
    ...{ what, unit, better: "lower", wanted: null, ours: ours[figure], bare: bare[figure] },
  });
  return [
    {
      ...{ what: LOAD_NAMES[name], unit: "1/s", better: "higher", wanted: null },
      ...{ ours: ours.perSecond, bare: bare.perSecond },
    },
    lower("  p50", "ms", "p50Ms"),
    lower("  p99", "ms", "p99Ms"),
    lower("  CPU of serve for one", "µs", "serverCpuUs"),
  ];
}

async function drain(db: string, context: BenchContext): Promise<DrainFigures> {
  const options: DrainOptions = {
    ...{ directory: "", db, payloadBytes: 100, inFlight: 64, workers: 2 },
    jobs: context.pick(60_000, 10_000),
  };
  return await runModule<DrainFigures>("./ours/drain.ts", options);
}

async function sampleIdle(
  program: string,
  db: string,
  context: BenchContext,
): Promise<IdleFigures> {
  const options: IdleOptions = { directory: "", db, samples: context.pick(120, 60) };
  return await runModule<IdleFigures>(program, options);
}
