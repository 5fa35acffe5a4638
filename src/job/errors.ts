/**
 * What can go wrong with a request, each with a stable `code`. `http/problem.ts` maps codes to
 * statuses, `cli/exit.ts` to exit codes; nothing else does.
 */
import type { InvalidByte } from "../lib/utf8.ts";

/** One thing that is wrong with an input. */
export interface Problem {
  /** What was wrong, what was expected and what was found. */
  readonly detail: string;
  /** JSON Pointer (RFC 6901) to the offending part; empty for the whole input. */
  readonly pointer: string;
}

export type ErrorCode =
  | "malformed"
  | "invalid"
  | "not-found"
  | "conflict"
  | "idempotency-key-reused"
  | "forbidden"
  | "too-large"
  | "queue-full"
  | "store-unavailable";

/** An error that is the caller's business: shown as a message, never as a stack trace. */
export class QueueError extends Error {
  constructor(readonly code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "QueueError";
  }
}

/** Input that cannot be read at all: broken JSON, broken multipart, text that is not UTF-8. */
export class MalformedInputError extends QueueError {
  constructor(message: string) {
    super("malformed", message);
  }
}

/** A text that is not UTF-8, naming `what` it is and the first offending byte. */
export function notUtf8(what: string, { offset, value }: InvalidByte): MalformedInputError {
  const found = `0x${value.toString(16).padStart(2, "0")}`;
  return new MalformedInputError(
    `${what} is not UTF-8 text: byte ${offset} (${found}) does not belong to a character`,
  );
}

/** Input that can be read but does not say something valid. Holds every problem, not the first. */
export class InvalidInputError extends QueueError {
  constructor(readonly problems: readonly Problem[]) {
    super("invalid", problems.map((problem) => problem.detail).join("; "));
  }
}

/** No job has this id. */
export class JobNotFoundError extends QueueError {
  constructor(readonly jobId: string) {
    super("not-found", `there is no job with the id ${JSON.stringify(jobId)}`);
  }
}

/** The job has no such file. */
export class FileNotFoundError extends QueueError {
  constructor(message: string) {
    super("not-found", message);
  }
}

/** No schedule has this name. */
export class ScheduleNotFoundError extends QueueError {
  constructor(name: string) {
    super("not-found", `there is no schedule with the name ${JSON.stringify(name.slice(0, 80))}`);
  }
}

/** No webhook has this id. */
export class DeliveryNotFoundError extends QueueError {
  constructor(id: string) {
    super("not-found", `there is no webhook with the id ${JSON.stringify(id.slice(0, 80))}`);
  }
}

/** No queue has this name: it holds no job, and nothing is said of it. */
export class QueueNotFoundError extends QueueError {
  constructor(name: string) {
    super(
      "not-found",
      `there is no queue ${JSON.stringify(name.slice(0, 80))}: it holds no jobs and has no limits`,
    );
  }
}

/** The request contradicts what is stored: an id in use, a state that does not allow it. */
export class ConflictError extends QueueError {
  constructor(message: string) {
    super("conflict", message);
  }
}

/** A request has the key of another request that was answered before. */
export class ReusedKeyError extends QueueError {
  constructor() {
    super(
      "idempotency-key-reused",
      "this Idempotency-Key came before with another request (method, path, content type or body); " +
        "expected the same request again, or a new key",
    );
  }
}

/** The caller may not do this here. */
export class ForbiddenError extends QueueError {
  constructor(message: string) {
    super("forbidden", message);
  }
}

/** More bytes than the limit allows. */
export class TooLargeError extends QueueError {
  constructor(message: string) {
    super("too-large", message);
  }
}

/** More jobs wait than are allowed to. */
export class QueueFullError extends QueueError {
  constructor(message: string) {
    super("queue-full", message);
  }
}

/** The store cannot be used now: disk full, unreadable, locked for too long, newer schema. */
export class StoreUnavailableError extends QueueError {
  constructor(message: string, options?: ErrorOptions) {
    super("store-unavailable", message, options);
  }
}
