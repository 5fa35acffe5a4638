/** `queuectl dlq retry`: gives dead jobs a fresh set of attempts. */
import { ConflictError } from "../../job/errors.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { changeEach } from "../changes.ts";
import { withQueue } from "../context.ts";
import { plural } from "../../lib/plural.ts";

export function run(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  if (options.isOn("all") === args.length > 0) {
    throw new UsageError("give either ids or --all");
  }
  return withQueue(invocation, async ({ queue }) => {
    if (!options.isOn("all")) {
      return await changeEach(invocation, async (id) => {
        const { state } = await queue.find(id);
        if (state !== "dead") {
          throw new ConflictError(`cannot retry job ${id}: it is ${state}; expected a dead one`);
        }
        const job = await queue.requeue(id);
        return { text: `Job ${id} is ${job.state} again`, fields: { state: job.state } };
      });
    }
    const { requeued, left } = await queue.requeueAllDead();
    if (out.isJson) out.json({ requeued, left_unique_key_taken: left });
    else {
      const why = left === 0 ? "" : `; ${left} left, because a live job has the same unique key`;
      out.line(`Requeued ${plural(requeued, "dead job")}${why}`);
    }
    return EXIT.done;
  });
}
