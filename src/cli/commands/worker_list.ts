/** `queuectl worker list`: the live workers of this database. */
import { workerView } from "../../queue/views.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { printWorkers } from "../worker_table.ts";

export function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const workers = await queue.workers();
    if (out.isJson) out.json(workers.map(workerView));
    else printWorkers(out, workers);
    return EXIT.done;
  });
}
