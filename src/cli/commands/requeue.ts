/** `queuectl requeue`: gives dead or cancelled jobs a fresh set of attempts. */
import type { Invocation } from "../command.ts";
import { changeEach } from "../changes.ts";
import { withQueue } from "../context.ts";

export function run(invocation: Invocation): Promise<number> {
  return withQueue(invocation, ({ queue }) =>
    changeEach(invocation, async (id) => {
      const { state } = await queue.requeue(id);
      return { text: `Job ${id} is ${state} again`, fields: { state } };
    }));
}
