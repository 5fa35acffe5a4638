/**
 * Runs one command line to its exit code. Owns what the user sees when something goes wrong: one
 * message, never a stack trace (unless the log level is `debug`).
 */
import { messageOf } from "../lib/error_message.ts";
import { SettingError } from "../config/settings.ts";
import { InvalidInputError } from "../job/errors.ts";
import { EXIT, exitCodeOf, isExpected, UsageError } from "./exit.ts";
import type { CliIo } from "./io.ts";
import { writeError, writeMessage } from "./output.ts";
import { parseCommandLine } from "./parser.ts";
import { VERSION } from "./version.ts";

/** Runs the command that the words name. */
export async function runCli(words: readonly string[], io: CliIo): Promise<number> {
  try {
    const parsed = await parseCommandLine(words, io, { version: VERSION });
    if ("exitCode" in parsed) return parsed.exitCode;
    const { invocation } = parsed;
    const { run } = await invocation.spec.load();
    return await run(invocation);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.done; // `queuectl list | head`
    report(error, io);
    return exitCodeOf(error);
  }
}

/** Which of several jobs it is about; the detail names the field itself. */
function place(pointer: string): string {
  const index = /^\/(\d+)(?:\/|$)/.exec(pointer)?.[1];
  return index === undefined ? "" : `job ${Number(index) + 1}: `;
}

function reportAll(problems: readonly string[], io: CliIo): void {
  if (problems.length === 1) return writeError(io, problems[0]!);
  writeError(io, `${problems.length} things are wrong:`);
  for (const problem of problems) writeMessage(io, `  ${problem}`);
}

function report(error: unknown, io: CliIo): void {
  if (error instanceof SettingError) return reportAll(error.problems, io);
  if (error instanceof InvalidInputError) {
    const details = error.problems.map(({ detail, pointer }) => `${place(pointer)}${detail}`);
    return reportAll(details, io);
  }
  writeError(io, messageOf(error));
  if (error instanceof UsageError && error.hint !== undefined) writeMessage(io, error.hint);
  if (!isExpected(error) && io.env("QUEUECTL_LOG_LEVEL") === "debug" && error instanceof Error) {
    writeMessage(io, error.stack ?? "");
  }
}
