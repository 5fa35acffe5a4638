/** `queuectl dlq purge`: deletes the dead jobs. */
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { ask } from "../io.ts";
import { plural } from "../../lib/plural.ts";

export function run(invocation: Invocation): Promise<number> {
  const { io, out, options } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const isAsking = !options.isOn("yes") && io.stdin.isTerminal && io.stderr.isTerminal;
    if (isAsking) {
      const { dead } = (await queue.stats()).counts;
      const answer = await ask(io, `Delete ${plural(dead, "dead job")}? [y/N] `);
      if (!/^y(es)?$/i.test(answer)) {
        out.message("Nothing was deleted.");
        return EXIT.failed;
      }
    }
    const deleted = await queue.purgeDead();
    if (out.isJson) out.json({ deleted });
    else out.line(`Deleted ${plural(deleted, "dead job")}`);
    return EXIT.done;
  });
}
