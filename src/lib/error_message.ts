/** What errors say to people. */

/** What was thrown, whatever it is. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a file cannot be read. */
export function readProblem(error: unknown): string {
  return error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
}
