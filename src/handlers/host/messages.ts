/** What was thrown, in words. */

const MESSAGE_LENGTH = 2_000;

/** One sentence, or a few lines where a parser shows the place. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.slice(0, MESSAGE_LENGTH);
}

export function traceOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
