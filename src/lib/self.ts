/**
 * How to start this program again, whether it runs from source or as an executable. Knows nothing
 * of what the new process shall do.
 */
import { fileURLToPath } from "node:url";

/**
 * Not in the table of commands: with it, and the path of a module, this program is the host of that
 * module's handlers.
 */
export const HOST_COMMAND = "handler-host";

/**
 * Options of the runtime. V8 gives each thread room for young objects, 1 MiB at first, and copies what
 * is still in use whenever it is full. What waits for a commit is in use for long: with 4 MiB a drain
 * takes 10 to 15 % less processor time, more than 4 gains nothing, and idle memory is the same.
 */
export const RUNTIME_OPTIONS = ["--v8-flags=--min-semi-space-size=4"] as const;

/** A program and its first arguments. */
export interface SelfCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** The program that runs now; append the arguments that `queuectl` shall get. */
export function selfCommand(): SelfCommand {
  const command = Deno.execPath();
  if (isExecutable()) return { command, args: [] };
  const main = fileURLToPath(import.meta.resolve("../main.ts"));
  const config = fileURLToPath(import.meta.resolve("../../deno.json"));
  const options = ["--allow-all", "--quiet", ...RUNTIME_OPTIONS, "--config", config];
  return { command, args: ["run", ...options, main] };
}

/** Whether this is the compiled executable. */
export function isExecutable(): boolean {
  return Deno.build.standalone;
}
