/**
 * The kind `http`: sends a request. An answer of 2xx is success; its status, headers and the first
 * part of its body are the result.
 *
 * Redirects are not followed, so that nothing is called but the URL that was given, and addresses
 * that are not public are refused unless the operator allows them: see `lib/outbound/`.
 */
import { Buffer } from "node:buffer";
import type { AttemptError, LeasedJob } from "../job/job.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import { formatDuration } from "../lib/duration.ts";
import { readCaFile } from "../lib/outbound/ca_file.ts";
import { explainAnswer, isSuccess } from "../lib/outbound/explain.ts";
import { RequestFailedError } from "../lib/outbound/errors.ts";
import { type Answer, type HeaderList, headerOf } from "../lib/outbound/response_reader.ts";
import { type OutgoingRequest, sendRequest } from "../lib/outbound/request.ts";
import { retryAfterMs } from "../lib/outbound/retry_after.ts";
import { HIDDEN, isSecretHeader } from "../lib/outbound/secret_headers.ts";
import { TimeLimit } from "../lib/time_limit.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { type HttpPayload, parseHttpPayload } from "./http_payload.ts";

export const http: Handler = {
  parsePayload(payload, { input }) {
    if (input != null) return { problem: "an http job sends its body; expected no file" };
    const parsed = parseHttpPayload(payload);
    if ("problems" in parsed) return parsed;
    return { payload: JSON.stringify(parsed.request) };
  },

  chunk: () => 1,

  async run(job, context) {
    const request = requestOf(JSON.parse(job.payload as string), job);
    const { http: settings } = context.settings;
    const startedMs = performance.now();
    const limitMs = job.timeoutMs === null ? settings.timeoutMs : null;
    using limit = new TimeLimit(context.signal, limitMs);
    let answer: Answer;
    try {
      answer = await sendRequest(request, {
        signal: limit.signal,
        limitBytes: settings.responseLimitBytes,
        allowsPrivate: settings.allowsPrivate,
        caCerts: readCaFile(settings.caFile),
      });
    } catch (error) {
      context.signal.throwIfAborted();
      return { type: "failed", error: explainFailure(error, limit, settings.timeoutMs) };
    }
    if (!isSuccess(answer)) return failure(answer, context);
    const durationMs = Math.round(performance.now() - startedMs);
    return { type: "succeeded", result: JSON.stringify(resultOf(answer, durationMs)) };
  },
};

/** Everything that is sent; what the caller chose wins over what is added. */
function requestOf({ url, method, headers, body }: HttpPayload, job: LeasedJob): OutgoingRequest {
  const added: Record<string, string> = {
    "accept": "*/*",
    "user-agent": "queuectl",
    // The same for every attempt: the receiver can tell a repetition from a new request.
    "idempotency-key": job.id,
    "queuectl-job-id": job.id,
    "queuectl-attempt": String(job.attempts + 1),
    ...(job.traceparent === undefined ? {} : { traceparent: job.traceparent }),
  };
  if (body !== null) {
    added["content-type"] = typeof body === "string"
      ? "text/plain; charset=utf-8"
      : "application/json";
  }
  for (const name of Object.keys(headers)) delete added[name.toLowerCase()];
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    url: new URL(url),
    method,
    headers: [...Object.entries(headers), ...Object.entries(added)],
    body: body === null ? null : new TextEncoder().encode(text),
  };
}

function failure(answer: Answer, context: HandlerContext): AttemptEnd {
  // Kept as the attempt's output, where people look for why it failed.
  context.writeOutput("stdout", answer.body);
  const waitMs = retryAfterMs(
    headerOf(answer.headers, "retry-after"),
    headerOf(answer.headers, "date"),
    Date.now(),
  );
  return {
    type: "failed",
    error: { code: "status", message: explainAnswer(answer) },
    exit: {
      exitCode: null,
      signal: null,
      // How much more there was is not known: the rest is not read.
      stdoutBytes: answer.body.length + (answer.isTruncated ? 1 : 0),
      stderrBytes: 0,
    },
    ...(waitMs === null ? {} : { retryAfterMs: waitMs }),
  };
}

function explainFailure(error: unknown, limit: TimeLimit, limitMs: number): AttemptError {
  if (limit.isOver) {
    return { code: "timeout", message: `no whole answer within ${formatDuration(limitMs)}` };
  }
  if (error instanceof RequestFailedError) return { code: error.failure, message: error.message };
  throw error;
}

/** What is kept of an answer. */
function resultOf({ status, headers, body, isTruncated }: Answer, durationMs: number) {
  return {
    status,
    headers: headersOf(headers),
    ...bodyOf(body, isTruncated),
    body_bytes: body.length,
    body_truncated: isTruncated,
    duration_ms: durationMs,
  };
}

/** Values of one name are joined (RFC 9110, section 5.3); secrets are left out. */
function headersOf(headers: HeaderList): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = joined.get(name);
    const shown = isSecretHeader(name) ? HIDDEN : value;
    joined.set(name, before === undefined || shown === HIDDEN ? shown : `${before}, ${shown}`);
  }
  return Object.fromEntries(joined);
}

/** Text as text, anything else as base64. A character that was cut in two is left out. */
function bodyOf(body: Uint8Array, isTruncated: boolean) {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { body: decoder.decode(body, { stream: isTruncated }), body_encoding: "utf-8" };
  } catch {
    return { body: Buffer.from(body).toString("base64"), body_encoding: "base64" };
  }
}
