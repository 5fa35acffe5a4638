/** `queuectl cancel`: cancels jobs. */
import { isLeased } from "../../job/state.ts";
import type { Invocation } from "../command.ts";
import { changeEach } from "../changes.ts";
import { withQueue } from "../context.ts";

export function run(invocation: Invocation): Promise<number> {
  return withQueue(invocation, ({ queue }) =>
    changeEach(invocation, async (id) => {
      const { state, cancelRequestedAtMs } = await queue.cancel(id);
      const isAsked = isLeased(state) && cancelRequestedAtMs !== null;
      return {
        text: isAsked
          ? `Job ${id} was asked to stop; it is still ${state}`
          : state === "cancelled"
          ? `Job ${id} is cancelled`
          : `Job ${id} ended before it could be cancelled: it is ${state}`,
        fields: { state, cancel_requested: cancelRequestedAtMs !== null },
      };
    }));
}
