/**
 * `deno task prove [EXPERIMENT...]`: breaks things on purpose and counts what was lost. Runs one
 * experiment after the other, prints the figures of each, and fails when one is not reached.
 *
 * Invariant: however it ends, no process, mount or file of a run is left behind.
 */
import { messageOf } from "../../src/lib/error_message.ts";
import { type Backend, BACKENDS, testOn } from "../helpers/backend.ts";
import { findNamed, onInterrupt, readOptions, runTool, UsageError } from "../helpers/tool.ts";
import { CannotRun, type Experiment, type ProveContext } from "./experiment.ts";
import { EXPERIMENTS } from "./experiments.ts";
import { seededRandom } from "./random.ts";
import { asJson, formatResult, isGood, type Result } from "./report.ts";
import { Scratch } from "./scratch.ts";

const USAGE = `usage: deno task prove [EXPERIMENT...] [options]

Experiments (all of them unless some are named):
${EXPERIMENTS.map(({ name, about }) => `  ${name.padEnd(10)}${about}`).join("\n")}

Options:
  --quick         small numbers, a few minutes altogether: for every change
  --store NAME    sqlite (the default) or postgres; then without the experiments that are about the
                  file of SQLite
  --without NAME  all but this one; may be given several times
  --seed N        repeats the choices of an earlier run
  --soak TIME     how long the soak lasts, as 30s or 30m (default 30m, with --quick 20s)
  --json          one JSON document instead of the report
  --help          this text

QUEUECTL names the executable that is tried; by default it is the source. Power cuts and the disk
faults need the right to mount, which the superuser has on Linux; elsewhere they are skipped. A
PostgreSQL server is started for the run, unless QUEUECTL_TEST_POSTGRES names one.`;

interface Options {
  readonly experiments: readonly Experiment[];
  readonly isQuick: boolean;
  readonly isJson: boolean;
  readonly seed: number;
  readonly soakMs: number;
  readonly store: Backend;
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const { isQuick, isJson, seed, store } = options;
  await testOn(store); // its server is none of what the run leaves behind
  const scratch = Scratch.create();
  const giveUp = (exitCode: number) => scratch.clear().finally(() => Deno.exit(exitCode));
  onInterrupt(() => giveUp(130));
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error(event.reason);
    giveUp(1);
  });
  if (!isJson) {
    console.log(
      `on ${store}, seed ${seed}${isQuick ? ", quick" : ""}: --seed ${seed} repeats it\n`,
    );
  }
  const results: Result[] = [];
  for (const experiment of options.experiments) {
    const result = await runExperiment(experiment, contextOf(options, experiment.name));
    results.push(result);
    if (!isJson) console.log(`${formatResult(result)}\n`);
    // What goes on after its time is up would disturb the others.
    if (result.isLate) break;
  }
  const left = await scratch.clear();
  const failed = results.filter((result) => !isGood(result)).map(({ experiment }) => experiment);
  const skipped = results.filter((result) => result.skipped !== undefined).length;
  if (isJson) {
    console.log(JSON.stringify({ store, seed, quick: isQuick, results: results.map(asJson) }));
  } else {
    if (left.length > 0) console.log(`${left.length} processes had to be ended at the close`);
    console.log(
      `${results.length - failed.length - skipped} hold, ${failed.length} failed` +
        `${failed.length > 0 ? ` (${failed.join(", ")})` : ""}, ${skipped} skipped`,
    );
  }
  return failed.length === 0 ? 0 : 1;
}

function contextOf({ isQuick, seed, soakMs }: Options, name: string): ProveContext {
  const startedMs = performance.now();
  return {
    isQuick,
    pick: (full, quick) => isQuick ? quick : full,
    seed,
    random: seededRandom(seed),
    soakMs,
    progress(message) {
      const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
      console.error(`${name} ${seconds}s: ${message}`);
    },
  };
}

async function runExperiment(
  experiment: Experiment,
  context: ProveContext,
): Promise<Result & { readonly isLate?: boolean }> {
  const startedMs = performance.now();
  const limitMs = experiment.limitMs(context);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`it was not over after ${limitMs / 1_000} s`));
    }, limitMs);
  });
  const name = { experiment: experiment.name };
  const seconds = () => (performance.now() - startedMs) / 1_000;
  try {
    const figures = await Promise.race([experiment.run(context), late]);
    return { ...name, seconds: seconds(), figures };
  } catch (error) {
    const message = messageOf(error);
    if (error instanceof CannotRun) {
      return { ...name, seconds: seconds(), figures: [], skipped: message };
    }
    if (!isLate) console.error(error);
    return { ...name, seconds: seconds(), figures: [], error: message, isLate };
  } finally {
    clearTimeout(timer);
  }
}

/** Null: help was asked for. */
function parseOptions(args: string[]): Options | null {
  const { values, positionals } = readOptions(args, {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    store: { type: "string", default: "sqlite" },
    without: { type: "string", multiple: true, default: [] },
    seed: { type: "string" },
    soak: { type: "string" },
  });
  if (values.help) return null;
  const store = findNamed(values.store!, BACKENDS.map((name) => ({ name })), "store").name;
  const possible = EXPERIMENTS.filter(({ isAboutTheFile }) =>
    store === "sqlite" || !isAboutTheFile
  );
  const named = positionals.map((name) => findNamed(name, possible, "experiment"));
  const without = values.without!.map((name) => findNamed(name, possible, "experiment"));
  const experiments = (named.length > 0 ? named : possible).filter((one) => !without.includes(one));
  if (experiments.length === 0) throw new UsageError("--without: no experiment is left to run");
  return {
    store,
    experiments,
    isQuick: values.quick!,
    isJson: values.json!,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : parseSeed(values.seed),
    soakMs: parseTime(values.soak ?? (values.quick ? "20s" : "30m")),
  };
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed < 2 ** 31) return seed;
  throw new UsageError(`--seed: expected a whole number below ${2 ** 31}, got ${show(text)}`);
}

function parseTime(text: string): number {
  const found = /^([1-9]\d{0,5})([sm])$/.exec(text);
  if (found !== null) return Number(found[1]) * (found[2] === "s" ? 1_000 : 60_000);
  throw new UsageError(`--soak: expected a time such as 30s or 30m, got ${show(text)}`);
}

function show(text: string): string {
  return JSON.stringify(text);
}

if (import.meta.main) {
  await runTool(main, USAGE);
}
