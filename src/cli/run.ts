/**
 * Runs one command line to its exit code. Owns what the user sees when something goes wrong: one
 * message, never a stack trace (unless the log level is `debug`).
 */
import { messageOf } from "../lib/error_message.ts";
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

function report(error: unknown, io: CliIo): void {
  if (error instanceof InvalidInputError) {
    const lines = error.problems.map(({ detail, pointer }) => `${place(pointer)}${detail}`);
    if (lines.length === 1) return writeError(io, lines[0]!);
    writeError(io, `${lines.length} things are wrong:`);
    for (const line of lines) writeMessage(io, `  ${line}`);
    return;
  }
  writeError(io, messageOf(error));
  if (error instanceof UsageError && error.hint !== undefined) writeMessage(io, error.hint);
  if (!isExpected(error) && io.env("QUEUECTL_LOG_LEVEL") === "debug" && error instanceof Error) {
    writeMessage(io, error.stack ?? "");
  }
}
