/** Who may have commands run over HTTP. */
import { ForbiddenError } from "../job/errors.ts";
import { allows } from "../job/scope.ts";
import { missingScope } from "./auth.ts";
import type { Call } from "./context.ts";

/**
 * Commands run whatever they are told to: over HTTP only where the operator wants that, and only
 * from those who were given the right.
 *
 * @throws {ForbiddenError} for the JSON of a job that is a command.
 */
export function checkCommand(input: unknown, { caller, services: { settings } }: Call): void {
  if (typeof input !== "object" || input === null) return;
  const isCommand = Object.hasOwn(input, "command") || Object.hasOwn(input, "cwd") ||
    (input as { kind?: unknown }).kind === "command";
  if (!isCommand) return;
  if (!settings["allow-commands"]) {
    throw new ForbiddenError(
      "command jobs are refused over HTTP unless the server was started with --allow-commands",
    );
  }
  if (!allows(caller.scopes, "command")) throw missingScope(caller, "command");
}
