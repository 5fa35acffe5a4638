/** What a job is like, as options: shared by all commands that describe one. */
import { resolve } from "node:path";
import { AFTER_CONDITIONS, ON_CONFLICT } from "../job/job.ts";
import type { Invocation, OptionSpec } from "./command.ts";
import { UsageError } from "./exit.ts";

/** Of every job that is described on the command line. To add one, read it below. */
export const JOB_OPTIONS: readonly OptionSpec[] = [
  { flags: "--priority <n>", doc: "Higher runs first. Default: 0." },
  { flags: "--timeout <duration>", doc: "Stop an attempt that runs longer." },
  { flags: "--queue <name>", doc: "The queue. Default: default." },
  { flags: "--key <key>", doc: "Whose job it is, where a queue is shared between keys." },
  {
    flags: "--backoff <delays>",
    doc: "How retries wait: exponential[:BASE], linear[:10s], fixed[:5s], or a list: 1s,5s,30s.",
  },
  { flags: "--jitter <part>", doc: "From 0 to 1: each wait is that much longer or shorter." },
  { flags: "--retry-on <codes>", doc: "Retry these exit codes only: 75,111." },
  { flags: "--max-age <duration>", doc: "No retry once this has passed since it was due first." },
  { flags: "--callback-url <url>", doc: "Its outcome is posted there." },
  { flags: "--unique-key <key>", doc: "At most one job with this key waits or runs at a time." },
  {
    flags: "--on-conflict <action>",
    doc: "When there is one: return it (default), replace it while it waits, or refuse.",
    choices: ON_CONFLICT,
  },
];

/** Of a job that is added once: which others it waits for. */
export const RELATION_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--after <id>",
    doc: "Wait until this job has ended; several times, or several ids with commas.",
    isMany: true,
  },
  {
    flags: "--after-on <condition>",
    doc: "How they must have ended: success (default), failure or any.",
    choices: AFTER_CONDITIONS,
  },
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
    key: options.text("key"),
    backoff: options.text("backoff"),
    jitter: options.numberOrText("jitter"),
    retry_on: options.text("retry-on"),
    max_age: options.text("max-age"),
    callback_url: options.text("callback-url"),
    unique_key: options.text("unique-key"),
    on_conflict: options.text("on-conflict"),
  });
}

/** Likewise for {@link RELATION_OPTIONS}. */
export function readRelations({ options }: Invocation): Record<string, unknown> {
  const after = options.texts("after");
  return given({
    after: after.length === 0 ? undefined : after.join(","),
    after_on: options.text("after-on"),
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
