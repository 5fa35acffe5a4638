/**
 * What the tools beside the tests share as programs: reading their options, and ending with the code
 * that says how it went. Knows none of their options.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * The options and names of a command line.
 *
 * @throws {UsageError} when it has others.
 */
export function readOptions<T extends Options>(args: string[], options: T) {
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/**
 * The one of these that has the name.
 *
 * @throws {UsageError} which names them all, when there is none.
 */
export function findNamed<T extends { readonly name: string }>(
  name: string,
  among: readonly T[],
  noun: string,
): T {
  const found = among.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = among.map((one) => one.name).join(", ");
  throw new UsageError(`there is no ${noun} ${JSON.stringify(name)}; expected one of ${known}`);
}

/** Runs a program to its end: exit code 2 with its usage when the command line is wrong. */
export async function runTool(
  main: (args: string[]) => Promise<number>,
  usage: string,
): Promise<never> {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** Called once Ctrl-C is pressed, or the program is asked to end. */
export function onInterrupt(stop: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
}
