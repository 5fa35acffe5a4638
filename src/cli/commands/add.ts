/** `queuectl add`: enqueues a command. */
import { resolve } from "node:path";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import type { CliIo } from "../io.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { io, out, options } = invocation;
  const command = readCommand(invocation);
  const cwd = directory(io, options.text("cwd"));
  const job = {
    command,
    id: options.text("id"),
    queue: options.text("queue"),
    priority: options.numberOrText("priority"),
    run_at: options.text("run-at"),
    delay: options.text("delay"),
    timeout: options.text("timeout"),
  };
  const given = Object.fromEntries(
    Object.entries(job).filter(([, value]) => value !== undefined),
  );
  const { id, state } = await withQueue(invocation, ({ queue }) => queue.add(given), { cwd });
  if (out.isJson) out.json({ job_id: id, id, status: "pending", state });
  else out.line(options.isOn("quiet") ? id : `Job enqueued with ID: ${id}`);
  return EXIT.done;
}

/** A string for the shell, or after `--` a program with its arguments. */
function readCommand({ args, isLiteral, spec }: Invocation): string | readonly string[] {
  if (isLiteral) return args;
  if (args.length === 1) return args[0]!;
  const words = args.map((word) => JSON.stringify(word)).join(" ");
  throw new UsageError(
    `expected one command, got ${args.length} words: ${words}`,
    spec.usageHint,
  );
}

/** The absolute path of the directory that the command shall run in. */
function directory(io: CliIo, given: string | undefined): string {
  const path = given === undefined ? io.cwd() : resolve(io.cwd(), given);
  if (isDirectory(path)) return path;
  throw new UsageError(`--cwd: expected an existing directory, got ${JSON.stringify(given)}`);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
