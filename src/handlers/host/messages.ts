/** What was thrown, in words. */

const MESSAGE_LENGTH = 2_000;

/** One sentence, or a few lines where a parser shows the place. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return withoutColours(text).slice(0, MESSAGE_LENGTH);
}

export function traceOf(error: unknown): string {
  return withoutColours(error instanceof Error ? error.stack ?? error.message : String(error));
}

/** The runtime paints the places that it names. */
function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex -- what the colours are made of
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
