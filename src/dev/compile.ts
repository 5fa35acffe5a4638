/**
 * `deno task compile [--output PATH]`: builds the executable. Owns the list of what goes into it;
 * knows nothing of what the program does.
 *
 * Invariant: the result is one file with everything inside, and it starts and says its version.
 *
 * With network a plain run is all it takes. Without, name a runtime of the same Deno version in
 * DENORT_BIN.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Lock, productionLock } from "./production_lock.ts";

/** This file is two directories below the project's root. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const MAIN = "src/main.ts";
/** Modules that are started by their address, as workers, and so are not found from the main one. */
const WORKERS = ["src/worker/thread.ts"];

/** Files that modules read at run time, as themselves. */
const ASSETS = ["src/dashboard/assets"];

const USAGE = "usage: deno task compile [--output PATH]   (default: bin/queuectl)";

/** The compiler is known to overflow the usual stack of its threads on deep module graphs. */
const COMPILER_STACK_BYTES = 32 * 2 ** 20;

async function main(args: string[]): Promise<void> {
  const output = outputPath(args);
  const lockPath = await Deno.makeTempFile({ prefix: "queuectl-lock-", suffix: ".json" });
  try {
    const lock: Lock = JSON.parse(await Deno.readTextFile(resolve(ROOT, "deno.lock")));
    const reached = await reachedPackages([MAIN, ...WORKERS]);
    const smaller = JSON.stringify(productionLock(lock, reached), null, 2);
    await Deno.writeTextFile(lockPath, `${smaller}\n`);
    await compile(output, lockPath);
  } finally {
    await Deno.remove(lockPath);
  }
  const version = await run(output, ["version"]);
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${version.trim()}, ${(size / 1e6).toFixed(1)} MB`);
}

/** Where the result goes: relative to the directory that the task was started from. */
function outputPath(args: string[]): string {
  const startedFrom = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  try {
    const { output } = parseArgs({ args, options: { output: { type: "string" } } }).values;
    if (output === "") throw new Error("--output: expected a path, got nothing");
    return output === undefined ? resolve(ROOT, "bin/queuectl") : resolve(startedFrom, output);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

/** Ids (`name@version`) of the npm packages that the modules import, directly or not. */
async function reachedPackages(modules: readonly string[]): Promise<Set<string>> {
  const reached = new Set<string>();
  for (const module of modules) {
    const graph: { modules: { npmPackage?: string; specifier: string; error?: string }[] } = JSON
      .parse(await run(Deno.execPath(), ["info", "--json", module]));
    for (const { npmPackage, specifier, error } of graph.modules) {
      if (error !== undefined) throw new Error(`${specifier}: ${error}`);
      if (npmPackage !== undefined) reached.add(npmPackage);
    }
  }
  return reached;
}

async function compile(output: string, lockPath: string): Promise<void> {
  await Deno.mkdir(dirname(output), { recursive: true });
  await run(Deno.execPath(), [
    "compile",
    "--quiet",
    // A queue runs whatever commands it is given, in any directory, on any file: no list of
    // permissions that is fixed now could hold them. Its limits are its own, at its edges.
    "--allow-all",
    // Types are `deno task check`'s business; the smaller lock has no packages for them.
    "--no-check",
    // The cache would be a file with a known name in the shared temporary directory, where
    // another user could put one first; and the program keeps state only where it is told.
    "--no-code-cache",
    "--frozen",
    `--lock=${lockPath}`,
    ...[...WORKERS, ...ASSETS].map((path) => `--include=${path}`),
    `--output=${output}`,
    MAIN,
  ]);
}

/**
 * Runs a program in the project's root and returns what it printed.
 *
 * @throws {Error} when it fails; its messages have gone to the terminal.
 */
async function run(program: string, args: string[]): Promise<string> {
  const { success, code, signal, stdout } = await new Deno.Command(program, {
    args,
    cwd: ROOT,
    env: { RUST_MIN_STACK: String(COMPILER_STACK_BYTES), DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${program} ${args[0]} ended with ${signal ?? `code ${code}`}`);
  return new TextDecoder().decode(stdout);
}

class UsageError extends Error {}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error((error as Error).message);
    Deno.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
