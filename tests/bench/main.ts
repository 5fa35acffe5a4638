/**
 * `deno task bench [SCENARIO...]`: runs scenarios, each against a bare program that does only the
 * raw work, and prints one table. Ratios say more than figures: they stay alike from machine to
 * machine. Never fails because something is slow, only because something is wrong.
 */
import { messageOf } from "../../src/lib/error_message.ts";
import { findNamed, onInterrupt, readOptions, runTool, UsageError } from "../helpers/tool.ts";
import { killChildren } from "./child.ts";
import { describeMachine } from "./machine.ts";
import { type BenchContext, isMet, ratioOf, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { Scratch } from "./scratch.ts";
import { formatTable, type ScenarioResult } from "./table.ts";

const USAGE = `usage: deno task bench [SCENARIO...] [options]

Scenarios (all of them unless some are named):
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join("\n")}

Options:
  --quick         one short round instead of three: shows that it works, proves little
  --rounds N      how many times each side is measured
  --history N     finished jobs in the file of the scenario history (default 200000)
  --dir PATH      where databases are put (default: the temporary directory)
  --json          one JSON document instead of the table
  --help          this text

The scenario postgres needs PostgreSQL's programs, or Debian's apt-get to fetch them.
QUEUECTL names the executable whose start-up is measured; by default it is the source.`;

interface Options {
  readonly scenarios: readonly Scenario[];
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly historyJobs: number;
  readonly directory?: string;
  readonly isJson: boolean;
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  await using scratch = await Scratch.create(options.directory);
  onInterrupt(() => {
    killChildren();
    Deno.removeSync(scratch.path, { recursive: true });
    Deno.exit(130);
  });
  const machine = describeMachine();
  const { date, cpu, cores, os, deno, sqlite, load, program } = machine;
  if (!options.isJson) {
    console.log(`${date}  ${cpu}, ${cores} cores, ${os}, Deno ${deno}, SQLite ${sqlite}`);
    console.log(`Databases in ${scratch.path}; start-up of queuectl ${program}.`);
    const rounds = options.rounds === 1 ? "one round" : `medians of ${options.rounds} rounds`;
    console.log(`${rounds}, queuectl and the bare program in turn; synchronous=full.`);
    console.log(
      `Load before the run: ${load.toFixed(2)}${load > 0.5 ? ", so expect noise" : ""}.\n`,
    );
  }
  const results: ScenarioResult[] = [];
  for (const scenario of options.scenarios) {
    results.push(await runScenario(scenario, contextOf(options, scratch, scenario.name)));
  }
  if (options.isJson) console.log(JSON.stringify({ machine, results: results.map(asJson) }));
  else console.log(formatTable(results));
  return results.some(({ error }) => error !== undefined) ? 1 : 0;
}

function contextOf(options: Options, scratch: Scratch, scenario: string): BenchContext {
  return {
    rounds: options.rounds,
    pick: (full, quick) => options.isQuick ? quick : full,
    historyJobs: options.historyJobs,
    scratch,
    progress: (message) => console.error(`${scenario}: ${message}`),
  };
}

async function runScenario(scenario: Scenario, context: BenchContext): Promise<ScenarioResult> {
  const startedMs = performance.now();
  try {
    const rows = await scenario.run(context);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    context.progress(`done in ${seconds} s`);
    return { scenario: scenario.name, rows };
  } catch (error) {
    console.error(error);
    const message = messageOf(error);
    return { scenario: scenario.name, rows: [], error: message.split("\n")[0]! };
  }
}

function asJson({ scenario, rows, error }: ScenarioResult): unknown {
  return {
    scenario,
    error,
    rows: rows.map((row) => ({ ...row, ratio: ratioOf(row), met: isMet(row) })),
  };
}

/** Null: help was asked for. */
function parseOptions(args: string[]): Options | null {
  const { values, positionals } = readOptions(args, {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    rounds: { type: "string" },
    history: { type: "string", default: "200000" },
    dir: { type: "string" },
  });
  if (values.help) return null;
  const scenarios = positionals.map((name) => findNamed(name, SCENARIOS, "scenario"));
  return {
    scenarios: scenarios.length > 0 ? scenarios : SCENARIOS,
    isQuick: values.quick!,
    rounds: wholeNumber("rounds", values.rounds ?? (values.quick ? "1" : "3")),
    historyJobs: wholeNumber("history", values.history!),
    directory: values.dir,
    isJson: values.json!,
  };
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--${option}: expected a number from 1 on, got ${JSON.stringify(text)}`);
}

if (import.meta.main) {
  await runTool(main, USAGE);
}
