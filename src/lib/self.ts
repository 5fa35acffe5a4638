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
  return { command, args: ["run", "--allow-all", "--quiet", "--config", config, main] };
}

/** Whether this is the compiled executable. */
export function isExecutable(): boolean {
  return Deno.build.standalone;
}
