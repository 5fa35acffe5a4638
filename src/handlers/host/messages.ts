/** What was thrown, in words. */

const MESSAGE_LENGTH = 2_000;

/** One sentence, or a few lines where a parser shows the place. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : textOf(error);
  return withoutColours(text).slice(0, MESSAGE_LENGTH);
}

export function traceOf(error: unknown): string {
  return withoutColours(error instanceof Error ? error.stack ?? error.message : textOf(error));
}

/** Objects that are no errors are thrown, too. */
function textOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null
    ? Deno.inspect(thrown, { compact: true, breakLength: Infinity })
    : String(thrown);
}

/** The runtime paints the places that it names. */
function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex -- what the colours are made of
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
