/**
 * Errors as answers (RFC 9457). Owns the one table from error codes to statuses; nothing else in
 * the HTTP room chooses the status of an error.
 *
 * Invariant: an answer never shows more of an unexpected error than that there was one.
 */
import { type ErrorCode, InvalidInputError, QueueError } from "../job/errors.ts";
import { SECURITY_HEADERS } from "./headers.ts";

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** When to try again, in seconds. */
  readonly retryAfterS?: number;
}

/** Codes that only requests have. */
type RequestErrorCode =
  | "unauthorized"
  | "no-such-path"
  | "method-not-allowed"
  | "idempotency-key-in-use"
  | "request-timeout"
  | "unsupported-media-type"
  | "misdirected"
  | "token-in-url"
  | "too-many-requests"
  | "overloaded"
  | "draining"
  | "internal";

export type ProblemCode = ErrorCode | RequestErrorCode;

export const PROBLEMS: Readonly<Record<ProblemCode, ProblemKind>> = {
  "malformed": { status: 400, title: "The request cannot be read" },
  "token-in-url": { status: 400, title: "A token does not belong into a URL" },
  "unauthorized": { status: 401, title: "A token is needed" },
  "forbidden": { status: 403, title: "This is not allowed here" },
  "not-found": { status: 404, title: "There is no such thing" },
  "no-such-path": { status: 404, title: "There is nothing at this path" },
  "method-not-allowed": { status: 405, title: "The path does not answer to this method" },
  "request-timeout": { status: 408, title: "The request's body came too slowly" },
  "conflict": { status: 409, title: "The request contradicts what is stored" },
  "idempotency-key-in-use": { status: 409, title: "The request is under way", retryAfterS: 1 },
  "idempotency-key-reused": { status: 422, title: "The key is that of another request" },
  "too-large": { status: 413, title: "The request is too large" },
  "unsupported-media-type": { status: 415, title: "The content type is not understood" },
  "misdirected": { status: 421, title: "The request names a host that this server is not" },
  "invalid": { status: 422, title: "The request is not valid" },
  "queue-full": { status: 429, title: "Too many jobs wait", retryAfterS: 5 },
  "too-many-requests": { status: 429, title: "Too many requests" },
  "internal": { status: 500, title: "The server failed" },
  "store-unavailable": { status: 503, title: "The store cannot be used", retryAfterS: 5 },
  "overloaded": { status: 503, title: "The server has too much to do", retryAfterS: 2 },
  "draining": { status: 503, title: "The server is shutting down", retryAfterS: 5 },
};

/** An error that only exists over HTTP. */
export class RequestError extends Error {
  constructor(
    readonly code: RequestErrorCode | "forbidden",
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "RequestError";
  }
}

/** The code that an error is answered with. */
export function codeOf(error: unknown): ProblemCode {
  return error instanceof QueueError || error instanceof RequestError ? error.code : "internal";
}

/** The `type` of a problem: stable, so that clients can tell problems apart without its text. */
export function problemType(code: ProblemCode): string {
  return `urn:queuectl:problem:${code}`;
}

/** The answer to a request that ended in this error. */
export function problemResponse(error: unknown): Response {
  const code = codeOf(error);
  const { status, title, retryAfterS } = PROBLEMS[code];
  const detail = code === "internal"
    ? "something unexpected went wrong; the server's log says what"
    : (error as Error).message;
  const problem = { type: problemType(code), title, status, detail };
  const body = error instanceof InvalidInputError
    ? { ...problem, errors: error.problems }
    : problem;
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...SECURITY_HEADERS,
      ...(retryAfterS === undefined ? undefined : { "retry-after": String(retryAfterS) }),
      ...(error instanceof RequestError ? error.headers : undefined),
    },
  });
}
