/**
 * A kind of a user: what looks like a built-in handler from outside, and is a child process inside.
 * Owns what a job becomes in the protocol, and its input file.
 */
import { messageOf } from "../lib/error_message.ts";
import type { LeasedJob } from "../job/job.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import { converse } from "./converse.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import type { HandlerProcess } from "./handler_process.ts";
import type { ProcessPool } from "./process_pool.ts";
import type { Program, UserHandlers } from "./program.ts";
import { parseUserPayload } from "./registry.ts";
import { type JobLine, PROTOCOL } from "./wire.ts";

/** The handler of each kind. */
export function userKinds(
  { programs, kinds }: UserHandlers,
  pool: ProcessPool,
): ReadonlyMap<string, Handler> {
  return new Map(
    Object.entries(kinds).map(([kind, index]) => [kind, userHandler(programs[index]!, pool)]),
  );
}

function userHandler(program: Program, pool: ProcessPool): Handler {
  return {
    parsePayload: parseUserPayload,
    chunk: () => 1,
    leavesFiles: true,
    async run(job, context) {
      const input = await inputFile(job);
      try {
        return await runIn(pool, program, { job, context, input });
      } finally {
        if (input !== null && input !== job.inputPath) await Deno.remove(input).catch(() => {});
      }
    },
  };
}

async function runIn(
  pool: ProcessPool,
  program: Program,
  { job, context, input }: { job: LeasedJob; context: HandlerContext; input: string | null },
): Promise<AttemptEnd> {
  // A rest is not to use up the time that the attempt has.
  const mostRestMs = job.timeoutMs === null ? Infinity : job.timeoutMs / 2;
  while (true) {
    const heldMs = pool.heldMs(program);
    if (heldMs > 0) return { type: "snoozed", delayMs: heldMs };
    let process: HandlerProcess;
    try {
      process = await pool.take(program, { signal: context.signal, mostRestMs });
    } catch (error) {
      if (context.signal.aborted) throw error;
      const message = `${program.name}: ${messageOf(error)}`;
      return { type: "failed", error: { code: "spawn", message } };
    }
    const wasWarm = process.answers > 0;
    const line = jobLine(job, { input, context });
    const { end, program: how, hasSpoken, isUnusable } = await converse(process, line, {
      program,
      context,
    });
    if (isUnusable && program.isWatched && !context.signal.aborted) {
      // A broken file is no fault of the job: it keeps its attempts until the file is mended.
      pool.giveBack(program, process, "ended");
      return { type: "snoozed", delayMs: pool.hold(program) };
    }
    pool.giveBack(program, process, how);
    // It had ended, in order, before it read of the job: a program may do so after any answer.
    if (wasWarm && how === "ended" && !hasSpoken && !context.signal.aborted) continue;
    return end;
  }
}

function jobLine(
  job: LeasedJob,
  { input, context }: { input: string | null; context: HandlerContext },
): JobLine {
  return {
    type: "job",
    protocol: PROTOCOL,
    id: job.id,
    attempt: job.attempts + 1,
    max_retries: job.maxRetries,
    queue: job.queue,
    kind: job.kind,
    payload: typeof job.payload === "string" ? JSON.parse(job.payload) : null,
    input,
    output_dir: context.outputDir ?? null,
    deadline: job.timeoutMs === null ? null : new Date(Date.now() + job.timeoutMs).toISOString(),
    ...(job.traceparent === undefined ? {} : { traceparent: job.traceparent }),
  };
}

/** Where the uploaded input stands; null: there is none. */
async function inputFile(job: LeasedJob): Promise<string | null> {
  if (job.inputPath !== undefined) return job.inputPath;
  if (typeof job.payload === "string") return null;
  const path = await Deno.makeTempFile({ prefix: "queuectl-input-" });
  await Deno.writeFile(path, job.payload);
  return path;
}
