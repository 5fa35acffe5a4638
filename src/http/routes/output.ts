/** What a job's command has printed. */
import { FileNotFoundError } from "../../job/errors.ts";
import type { OutputStream } from "../../job/job.ts";
import { joinOutput } from "../../queue/queue.ts";
import type { Call } from "../context.ts";
import { SECURITY_HEADERS } from "../headers.ts";
import { parseQuery, wholeNumber, wordParameter } from "../query.ts";
import { findJob } from "./job.ts";

const STREAMS: readonly OutputStream[] = ["stdout", "stderr"];

export const OUTPUT_PARAMETERS = {
  stream: wordParameter(STREAMS, "Default: stdout."),
  attempt: wholeNumber(1, 1_000_000, "Of this attempt; by default the last one."),
};

/** The bytes as they came, of the last attempt unless another is asked for. */
export async function getOutput(call: Call): Promise<Response> {
  const { queue } = call.services;
  const { stream = "stdout", attempt } = parseQuery(call.query, OUTPUT_PARAMETERS);
  const job = await findJob(call);
  const output = await queue.output(job, { attempt, stream });
  if (output === null && attempt !== undefined) {
    throw new FileNotFoundError(`the job ${job.id} has had no attempt ${attempt}`);
  }
  const bytes = output === null ? new Uint8Array() : joinOutput(output.chunks, stream);
  const printed = output?.attempt[stream === "stdout" ? "stdoutBytes" : "stderrBytes"] ?? 0;
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      "content-type": "text/plain; charset=utf-8",
      ...SECURITY_HEADERS,
      ...(printed > bytes.length ? { "x-output-truncated": "true" } : undefined),
    },
  });
}
