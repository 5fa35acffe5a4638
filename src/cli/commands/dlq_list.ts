/** `queuectl dlq list`: the dead jobs. */
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { printJobs, readFilter } from "../job_table.ts";

export function run(invocation: Invocation): Promise<number> {
  const filter = readFilter(invocation, ["dead"]);
  return withQueue(invocation, async ({ queue }) => {
    await printJobs(invocation, queue, filter);
    return EXIT.done;
  });
}
