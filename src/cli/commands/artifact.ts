/** `queuectl artifact …`: the files that a job has left. */
import { findArtifact } from "../../queue/job_files.ts";
import { messageOf } from "../../lib/error_message.ts";
import { artifactsView } from "../../queue/views.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { CommandError, EXIT, UsageError } from "../exit.ts";
import { printArtifacts } from "../artifact_table.ts";

export function run(invocation: Invocation): Promise<number> {
  return invocation.spec.path[1] === "list" ? list(invocation) : get(invocation);
}

function list(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const job = await queue.find(args[0]!);
    const files = await queue.files(job);
    if (out.isJson) out.json({ job_id: job.id, ...artifactsView(files) });
    else if (!printArtifacts(out, files)) out.message(`Job ${job.id} has left no files.`);
    return EXIT.done;
  });
}

function get(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  const [jobId, name] = args as [string, string];
  const path = options.text("output");
  return withQueue(invocation, async ({ queue }) => {
    const file = findArtifact(await queue.files(await queue.find(jobId)), { jobId, name });
    const pieces = queue.readFile(file);
    if (path === undefined || path === "-") {
      for await (const piece of pieces) out.raw(piece);
      return EXIT.done;
    }
    await save(path, pieces);
    out.note(`${file.bytes} bytes saved to ${path}`);
    return EXIT.done;
  });
}

/** The file comes to be as a whole: what is there already stays until then. */
async function save(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const unfinished = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(unfinished, { createNew: true, write: true });
  } catch (error) {
    throw new UsageError(`--output: cannot write ${path}: ${reasonOf(error)}`);
  }
  try {
    for await (const piece of pieces) {
      for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    }
    file.close();
    await Deno.rename(unfinished, path);
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    throw new CommandError(EXIT.failed, `cannot write ${path}: ${reasonOf(error)}`);
  }
}

/** Without the name of the unfinished file, which nobody has chosen. */
function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its directory does not exist";
  return messageOf(error).replace(/: (?:open|rename) '.*$/, "");
}
