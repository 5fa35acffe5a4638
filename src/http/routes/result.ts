/** What came out of a job. */
import type { Job } from "../../job/job.ts";
import { HTTP_STATUS_OF } from "../../job/state.ts";
import { joinOutput, type Queue } from "../../queue/queue.ts";
import { resultValue } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json, JSON_HEADERS } from "../headers.ts";
import { problemType } from "../problem.ts";
import { findAwaitedJob } from "./job.ts";

/** How much of each stream of a command is shown with its result; the rest is in its output. */
const SHOWN_BYTES = 64 * 1024;

export async function getResult(call: Call): Promise<Response> {
  const job = await findAwaitedJob(call);
  const status = HTTP_STATUS_OF[job.state];
  switch (job.state) {
    case "completed":
      return json(await resultView(job, call.services.queue));
    case "dead":
    case "cancelled":
      return withoutResult(job);
    default:
      return new Response(
        JSON.stringify({ job_id: job.id, status, message: "Result not ready" }),
        { status: 202, headers: { ...JSON_HEADERS, "retry-after": "1" } },
      );
  }
}

/** `characters` stands beside the status for counts; other kinds have their `result` there. */
async function resultView(job: Job, queue: Queue): Promise<Record<string, unknown>> {
  const done = { job_id: job.id, status: HTTP_STATUS_OF[job.state] };
  const result = resultValue(job) as Record<string, unknown>;
  if (job.kind === "count") return { ...done, ...result };
  if (job.kind !== "command") return { ...done, result };
  const output = await queue.output(job);
  const shown = { ...result };
  for (const stream of ["stdout", "stderr"] as const) {
    const bytes = output === null ? new Uint8Array() : joinOutput(output.chunks, stream);
    shown[stream] = headOfText(bytes);
    // What is shown here may be less than what is kept.
    if (bytes.length > SHOWN_BYTES) shown[`${stream}_truncated`] = true;
  }
  return { ...done, result: shown };
}

/**
 * The job ended without a result. The contract gives this answer a `status` that is the job's word;
 * readers of `application/problem+json` ignore a member of an unexpected type (RFC 9457, section
 * 3.1), and have the number from the answer itself.
 */
function withoutResult(job: Job): Response {
  const status = HTTP_STATUS_OF[job.state];
  const error = job.lastError?.message ?? null;
  const detail = job.state === "dead"
    ? `the job failed and has no retries left: ${error}`
    : "the job was cancelled";
  return new Response(
    JSON.stringify({
      job_id: job.id,
      status,
      attempts: job.attempts,
      error,
      type: problemType("conflict"),
      title: "The job has no result",
      detail,
    }),
    { status: 409, headers: { ...JSON_HEADERS, "content-type": "application/problem+json" } },
  );
}

/** The beginning of the bytes as text, not cut inside a character. */
function headOfText(bytes: Uint8Array): string {
  const isCut = bytes.length > SHOWN_BYTES;
  return new TextDecoder().decode(bytes.subarray(0, SHOWN_BYTES), { stream: isCut });
}
