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
import { RequestFailedError } from "../lib/outbound/errors.ts";
import { type Answer, type HeaderList, headerOf } from "../lib/outbound/response_reader.ts";
import { type OutgoingRequest, sendRequest } from "../lib/outbound/request.ts";
import { retryAfterMs } from "../lib/outbound/retry_after.ts";
import { HIDDEN, isSecretHeader } from "../lib/outbound/secret_headers.ts";
import { publicUrl } from "../lib/outbound/url.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { type HttpPayload, parseHttpPayload } from "./http_payload.ts";

export const http: Handler = {
  parsePayload(payload) {
    const parsed = parseHttpPayload(payload);
    if ("problems" in parsed) return parsed;
    return { payload: JSON.stringify(parsed.request) };
  },

  chunk: () => 1,

  async run(job, context) {
    const request = requestOf(JSON.parse(job.payload as string), job);
    const { http: settings } = context.settings;
    const startedMs = performance.now();
    using limit = new TimeLimit(
      context.signal,
      job.timeoutMs === null ? settings.timeoutMs : 0,
    );
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
    const isSuccess = answer.status >= 200 && answer.status < 300;
    if (!isSuccess) return failure(answer, context);
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
    error: explainStatus(answer),
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

/** What people want to know first: the status, and what the server said about it. */
function explainStatus({ status, reason, headers, body }: Answer): AttemptError {
  const title = oneLine(`HTTP ${status} ${reason}`);
  const location = status >= 300 && status < 400 ? headerOf(headers, "location") : null;
  if (location !== null) {
    const target = publicUrl(location) || "another place";
    const message = `${title}: redirects are not followed, and this one leads to ${
      oneLine(target)
    }`;
    return { code: "status", message };
  }
  const words = oneLine(new TextDecoder().decode(body.subarray(0, 1_024)));
  return { code: "status", message: words === "" ? title : `${title}: ${words}` };
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

function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const flat = text.replace(/[\x00-\x20\x7f]+/g, " ").trim();
  return flat.length > 200 ? `${flat.slice(0, 199)}…` : flat;
}

/** Aborts with the attempt, or when its own time is over; 0 ms: never by itself. */
class TimeLimit implements Disposable {
  isOver = false;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(outer: AbortSignal, limitMs: number) {
    this.#outer = outer;
    if (outer.aborted) this.#onAbort();
    outer.addEventListener("abort", this.#onAbort);
    if (limitMs === 0) return;
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#controller.abort(this.#outer.reason);
}
