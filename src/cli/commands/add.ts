/** `queuectl add`: enqueues a command, or a job of another kind. */
import { parseJsonText } from "../../http/json_text.ts";
import { NO_FILE } from "../../job/job.ts";
import type { Added, Queue } from "../../queue/queue.ts";
import { reportAdded } from "../added.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { type InputFile, openInput } from "../input_file.ts";
import {
  given,
  readCommand,
  readDirectory,
  readJobOptions,
  readRelations,
} from "../job_options.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const job = {
    ...readWork(invocation),
    ...given({
      id: options.text("id"),
      run_at: options.text("run-at"),
      delay: options.text("delay"),
    }),
    ...readJobOptions(invocation),
    ...readRelations(invocation),
  };
  const cwd = readDirectory(invocation);
  const path = options.text("input");
  const input = path === undefined ? null : await openInput(invocation, path);
  const added = await withQueue(
    invocation,
    ({ queue }) => input === null ? queue.add(job) : addWithFile(queue, job, input),
    { cwd },
  );
  reportAdded(invocation, added);
  return EXIT.done;
}

/** A command, or a kind and its payload. */
function readWork({ args, literal, options, spec }: Invocation): Record<string, unknown> {
  const [kind, payload] = [options.text("kind"), options.text("payload")];
  if (kind === undefined && payload === undefined) {
    if (args.length === 0) throw new UsageError("expected a command, or --kind", spec.usageHint);
    const isLiteral = literal.length > 0 && literal.length === args.length;
    return { command: readCommand(args, { isLiteral, hint: spec.usageHint }) };
  }
  if (kind === undefined) throw new UsageError("--payload: expected --kind, too", spec.usageHint);
  if (args.length > 0) {
    throw new UsageError("expected either a command or --kind, got both", spec.usageHint);
  }
  if (payload === undefined) return { kind };
  return { kind, payload: parseJsonText(payload, "--payload") };
}

/** What is wrong with the job is said before its file is stored. */
async function addWithFile(queue: Queue, job: unknown, { file, bytes }: InputFile): Promise<Added> {
  await queue.assertValid(job, NO_FILE);
  return await queue.addWithFile(job, await queue.stageFile(file, bytes));
}
