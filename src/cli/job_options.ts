/** What a job is like, as options: shared by all commands that describe one. */
import { resolve } from "node:path";
import type { Invocation, OptionSpec } from "./command.ts";
import { UsageError } from "./exit.ts";

/** Of every job that is described on the command line. To add one, read it below. */
export const JOB_OPTIONS: readonly OptionSpec[] = [
  { flags: "--priority <n>", doc: "Higher runs first. Default: 0." },
  { flags: "--timeout <duration>", doc: "Stop an attempt that runs longer." },
  { flags: "--queue <name>", doc: "The queue. Default: default." },
];

export const CWD_OPTION: OptionSpec = {
  flags: "--cwd <dir>",
  doc: "Where it runs; by default the current directory.",
};

/** The fields that {@link JOB_OPTIONS} give a job's JSON; those not given are left out. */
export function readJobOptions({ options }: Invocation): Record<string, unknown> {
  return given({
    priority: options.numberOrText("priority"),
    timeout: options.text("timeout"),
    queue: options.text("queue"),
  });
}

/** Without what is undefined. */
export function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/**
 * A string for the shell, or after `--` a program with its arguments.
 *
 * @throws {UsageError} when neither is there.
 */
export function readCommand(
  words: readonly string[],
  { isLiteral, hint }: { isLiteral: boolean; hint: string | undefined },
): string | readonly string[] {
  if (isLiteral) return words;
  if (words.length === 1) return words[0]!;
  const shown = words.map((word) => JSON.stringify(word)).join(" ");
  throw new UsageError(`expected one command, got ${words.length} words: ${shown}`, hint);
}

/**
 * The absolute path of the directory that the command shall run in.
 *
 * @throws {UsageError} when there is no such directory.
 */
export function readDirectory({ io, options }: Invocation): string {
  const given = options.text("cwd");
  const path = given === undefined ? io.cwd() : resolve(io.cwd(), given);
  if (isDirectory(path)) return path;
  throw new UsageError(`--cwd: expected an existing directory, got ${JSON.stringify(given)}`);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
