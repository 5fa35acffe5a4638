/** What the errors of a PostgreSQL server and of the way to it mean. Knows no table. */
import { StoreUnavailableError } from "../../job/errors.ts";
import { messageOf } from "../../lib/error_message.ts";

/** The whole transaction is to be done again, on purpose. */
export class TryAgain extends Error {}

/** It is to be done again step by step: what was taken for granted, to save a round trip, is not so. */
export class Mistaken extends TryAgain {}

/** Statements that take something for granted divide by zero when it is not so. */
export function isMistaken(error: unknown): boolean {
  return error instanceof Mistaken || codeOf(error) === "22012";
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** The server is there, but not for writing. */
export class TakesNoWrites extends Error {
  readonly code = "25006";

  constructor(isStandby: boolean) {
    super(isStandby ? "it is a standby" : "it is set to read-only (default_transaction_read_only)");
  }
}

/** There is no way in: the message says why, to people, without a password. */
export class NoWay extends Error {
  /** Whether another way to speak of TLS may be the way in. */
  readonly isOfTls: boolean;

  constructor(message: string, { isOfTls = false } = {}) {
    super(message);
    this.isOfTls = isOfTls;
  }
}

/** Whether an answer did not come in time. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && /^Query read timeout$/.test(error.message);
}

/** Whether others were in the way, so that the same transaction may well succeed now. */
export function isConflict(error: unknown): boolean {
  // serialization_failure, deadlock_detected, lock_not_available
  return error instanceof TryAgain || ["40001", "40P01", "55P03"].includes(codeOf(error)) ||
    isIdTaken(error);
}

/** Another process has just inserted a job with the same id: who looks again finds it. */
function isIdTaken(error: unknown): boolean {
  return codeOf(error) === "23505" &&
    (error as { constraint?: unknown }).constraint === "jobs_id_key";
}

/** Whether the connection is gone, will be in a moment, or is of no use: it takes no writes any more. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  if (isOfOldTables(error)) return true;
  if (/^08/.test(code) || ["57P01", "57P02", "57P04", "57P05", "25P03", "25006"].includes(code)) {
    return true;
  }
  if (["ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTCONN"].includes(code)) return true;
  return /Connection terminated|not queryable|Client was closed|read timeout|socket|ECONNRESET|ended/i
    .test(messageOf(error)) && !/^[0-9A-Z]{5}$/.test(code);
}

/** A newer program has added columns to what this session has read before; a new session can go on. */
function isOfOldTables(error: unknown): boolean {
  return (error as { routine?: unknown } | null)?.routine === "RevalidateCachedQuery";
}

/** What is said in place of the error; where it ends with a colon, the server's own words follow. */
const REASONS: Record<string, string> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up now",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  EADDRNOTAVAIL: "its address cannot be reached from here",
  ETIMEDOUT: "it did not answer in time",
  ENOENT: "its socket does not exist",
  EACCES: "its socket cannot be used: permission denied",
  "22021": "the server cannot store this text:",
  "25006": "the server takes no writes: it is a standby, or set to read-only",
  "26000": "its session is shared with others; expected a pooler that keeps sessions apart:",
  "42P05": "its session is shared with others; expected a pooler that keeps sessions apart:",
  "28P01": "the server refuses this user with this password",
  "28000": "the server does not let this user in from here:",
  "3D000": "the server has no database of this name; create it first (createdb)",
  "3F000": "there is no schema to use; see search_path",
  "42501": "the user may not do this; it needs CREATE on the schema, and owns the tables then:",
  "42P01": "its tables are not those that queuectl has made:",
  "42703": "its tables are not those that queuectl has made:",
  "53100": "the disk of the server is full",
  "53200": "the server is out of memory",
  "53300":
    "the server has too many connections; raise its max_connections, or use fewer processes:",
  "55P03": "others have kept it locked for too long",
  "57014": "the server has cancelled the statement",
  "57P01": "the server is shutting down",
  "57P02": "the server has crashed and starts again",
  "57P03": "the server is starting or shutting down:",
  "57P04": "the database was dropped",
  "58030": "the server cannot read or write its disk",
};

/** The error as the store's users see it: unavailability with its reason, or itself. */
export function asStoreError(error: unknown, place: string): unknown {
  if (error instanceof StoreUnavailableError) return error;
  const reason = reasonOf(error);
  if (reason === null) return error;
  // Not the driver's error as the cause: it may speak of the password.
  return new StoreUnavailableError(`cannot use the database ${place}: ${reason}`);
}

/** Why there is no way in, whatever the error says. */
export function openingReason(error: unknown): string {
  const code = codeOf(error);
  // A pooler that stands between says with such codes what it wants to say.
  if (/^08/.test(code) && hasSpoken(error)) {
    const said = `the server has said: ${oneLine(error)}`;
    return /startup parameter: options/.test(said)
      ? `${said}; where a pooler takes none, ALTER ROLE … SET search_path names the schema`
      : said;
  }
  return reasonOf(error) ?? oneLine(error);
}

/** Why the database cannot be used; null: that is not what the error says. */
function reasonOf(error: unknown): string | null {
  if (error instanceof NoWay) return error.message;
  if (error instanceof TakesNoWrites) return `it takes no writes: ${error.message}`;
  const code = codeOf(error);
  const known = REASONS[code];
  if (known !== undefined) return known.endsWith(":") ? `${known} ${oneLine(error)}` : known;
  const message = messageOf(error);
  if (/^XX00[12]$/.test(code)) return "it is damaged";
  if (/failed to lookup|dns/i.test(message)) return REASONS["ENOTFOUND"]!;
  if (/timeout/i.test(message)) return REASONS["ETIMEDOUT"]!;
  if (isConflict(error)) return "others were in the way again and again";
  return isLost(error) ? "the connection was lost" : null;
}

/** Whether the server itself has said it, and not the driver. */
export function hasSpoken(error: unknown): boolean {
  return typeof (error as { severity?: unknown } | null)?.severity === "string";
}

function oneLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, " ").trim();
}
