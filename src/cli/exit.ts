/** Exit codes: THE table from what went wrong to what the shell sees. Nothing else decides it. */
import { SettingError } from "../config/settings.ts";
import { type ErrorCode, QueueError } from "../job/errors.ts";

export const EXIT = {
  done: 0,
  /** The operation or the job failed. */
  failed: 1,
  usage: 2,
  noSuchJob: 3,
  timedOut: 4,
  storeUnavailable: 5,
} as const;

/** Shells count like this when a signal ends a program: 128 and the signal's number. */
const EXIT_OF_SIGNAL: Partial<Record<Deno.Signal, number>> = { SIGINT: 130, SIGTERM: 143 };

/** The exit code after a signal that cut off what ran. */
export function exitOfSignal(signal: Deno.Signal): number {
  return EXIT_OF_SIGNAL[signal] ?? EXIT.failed;
}

const EXIT_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  "malformed": EXIT.usage,
  "invalid": EXIT.usage,
  "too-large": EXIT.usage,
  "not-found": EXIT.noSuchJob,
  "conflict": EXIT.failed,
  "idempotency-key-reused": EXIT.failed,
  "forbidden": EXIT.failed,
  "queue-full": EXIT.failed,
  "store-unavailable": EXIT.storeUnavailable,
};

/** The command line says something that cannot be done. */
export class UsageError extends Error {
  /** `hint` says how to write it instead. */
  constructor(message: string, readonly hint?: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** A failure whose message is all that the user needs. */
export class CommandError extends Error {
  constructor(readonly exitCode: number, message: string) {
    super(message);
    this.name = "CommandError";
  }
}

/** The exit code for an error; an error that nobody foresaw is a failed operation. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof QueueError) return EXIT_OF_CODE[error.code];
  if (error instanceof UsageError || error instanceof SettingError) return EXIT.usage;
  if (error instanceof CommandError) return error.exitCode;
  return EXIT.failed;
}

/** Whether the message is meant for the user; else it is a bug and worth a stack trace in debug. */
export function isExpected(error: unknown): boolean {
  return error instanceof QueueError || error instanceof UsageError ||
    error instanceof SettingError || error instanceof CommandError;
}
