/** `queuectl top`: the queue on a full screen, with keys. */
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { EXIT, UsageError } from "../exit.ts";
import { watchTop } from "../top/top.ts";

export function run(invocation: Invocation): Promise<number> {
  const { io, out } = invocation;
  if (out.isJson) {
    throw new UsageError("top has no --json", "write: queuectl status --watch --json");
  }
  if (!io.stdout.isTerminal || !io.stdin.isTerminal || io.env("TERM") === "dumb") {
    throw new UsageError(
      "top needs a terminal to draw on and to read keys from",
      "elsewhere: queuectl status --watch, with --json for scripts",
    );
  }
  return withQueue(invocation, async ({ queue }) => {
    await watchTop(invocation, queue);
    return EXIT.done;
  });
}
