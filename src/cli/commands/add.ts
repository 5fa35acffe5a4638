/** `queuectl add`: enqueues a command. */
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { given, readCommand, readDirectory, readJobOptions } from "../job_options.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { args, literal, out, options, spec } = invocation;
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
  };
  const { id, state } = await withQueue(invocation, ({ queue }) => queue.add(job), { cwd });
  if (out.isJson) out.json({ job_id: id, id, status: "pending", state });
  else out.line(options.isOn("quiet") ? id : `Job enqueued with ID: ${id}`);
  return EXIT.done;
}
