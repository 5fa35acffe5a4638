/** Whether anything becomes slower as finished jobs gather. */
import { programWords, run, runModule } from "../child.ts";
import { addHistory } from "../history_file.ts";
import { median } from "../numbers.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";

export interface HistoryOptions {
  readonly files: readonly [HistoryFile, HistoryFile];
  readonly samples: number;
}

export interface HistoryFile {
  readonly path: string;
  /** Finished jobs in it. */
  readonly jobs: number;
}

/** By operation, how long it takes on the file with the short and the long history. */
export type HistoryFigures = Readonly<Record<string, { shortMs: number; longMs: number }>>;

/** The file to compare with holds a page of everything that is listed, and no more. */
const SHORT_JOBS = 6_000;

export const history: Scenario = {
  name: "history",
  about: "submit, claim, status, lists, stats and `queuectl status` with a long history",
  run: runHistory,
};

async function runHistory(context: BenchContext): Promise<Row[]> {
  await using directory = context.scratch.directory();
  const files = [
    { path: `${directory.path}/short.db`, jobs: SHORT_JOBS },
    { path: `${directory.path}/long.db`, jobs: context.historyJobs },
  ] as const;
  for (const { path, jobs } of files) {
    context.progress(`writing a file with ${jobs} finished jobs`);
    await run(programWords("initdb", "--db", path));
    addHistory(path, jobs);
  }
  context.progress("timing operations on both files in turn");
  const figures = await runModule<HistoryFigures>(
    "./ours/history.ts",
    {
      files,
      samples: context.pick(400, 150),
    } satisfies HistoryOptions,
  );
  const rows = Object.entries(figures).map(([what, { shortMs, longMs }]) =>
    row(what, longMs, shortMs)
  );
  const [shortMs, longMs] = await timeStatus(context, files.map(({ path }) => path));
  return [...rows, row("queuectl status", longMs!, shortMs!)];

  function row(what: string, ours: number, bare: number): Row {
    return {
      what: `${what}, ${context.historyJobs.toLocaleString("en")} finished jobs`,
      unit: "ms",
      ours,
      bare,
      better: "lower",
      wanted: { ratio: 1.2 },
      note: what === "submit"
        ? `compared with a file of ${SHORT_JOBS} finished jobs, so that lists are of equal length`
        : undefined,
    };
  }
}

/** Medians of the whole command, by file, taken in turn. */
async function timeStatus(context: BenchContext, paths: readonly string[]): Promise<number[]> {
  const found = paths.map((): number[] => []);
  for (let sample = 0; sample < context.pick(10, 4); sample++) {
    for (const [index, path] of paths.entries()) {
      const startMs = performance.now();
      await run(programWords("status", "--db", path));
      found[index]!.push(performance.now() - startMs);
    }
  }
  return found.map(median);
}
