/** `queuectl add`: enqueues a command. */
import { reportAdded } from "../added.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import {
  given,
  readCommand,
  readDirectory,
  readJobOptions,
  readRelations,
} from "../job_options.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { args, literal, options, spec } = invocation;
  const isLiteral = literal.length > 0 && literal.length === args.length;
  const command = readCommand(args, { isLiteral, hint: spec.usageHint });
  const cwd = readDirectory(invocation);
  const job = {
    command,
    ...given({
      id: options.text("id"),
      run_at: options.text("run-at"),
      delay: options.text("delay"),
    }),
    ...readJobOptions(invocation),
    ...readRelations(invocation),
  };
  reportAdded(invocation, await withQueue(invocation, ({ queue }) => queue.add(job), { cwd }));
  return EXIT.done;
}
