/** What the errors of a PostgreSQL server and of the way to it mean. Knows no table. */
import { StoreUnavailableError } from "../../job/errors.ts";
import { messageOf } from "../../lib/error_message.ts";

/** The whole transaction is to be done again, on purpose. */
export class TryAgain extends Error {}

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

/** Whether an answer did not come in time. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && /^Query read timeout$/.test(error.message);
}

/** Whether others were in the way, so that the same transaction may well succeed now. */
export function isConflict(error: unknown): boolean {
  // serialization_failure, deadlock_detected, lock_not_available
  return error instanceof TryAgain || ["40001", "40P01", "55P03"].includes(codeOf(error));
}

/** Whether the connection is gone, will be in a moment, or is of no use: it takes no writes any more. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  if (/^08/.test(code) || ["57P01", "57P02", "57P05", "25P03", "25006"].includes(code)) return true;
  if (["ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTCONN"].includes(code)) return true;
  return /Connection terminated|not queryable|Client was closed|read timeout|socket|ECONNRESET|ended/i
    .test(messageOf(error)) && !/^[0-9A-Z]{5}$/.test(code);
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up now",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  ETIMEDOUT: "it did not answer in time",
  ENOENT: "its socket does not exist",
  EACCES: "its socket cannot be used: permission denied",
  "28P01": "the server refuses the password",
  "28000": "the server does not let this user in from here",
  "3D000": "the server has no database of this name; create it first (createdb)",
  "3F000": "there is no schema to use; see search_path",
  "53300": "the server has too many connections; raise its max_connections, or use fewer processes",
  "53100": "the disk of the server is full",
  "53200": "the server is out of memory",
  "57P01": "the server is shutting down",
  "57P02": "the server has crashed and starts again",
  "57P03": "the server is starting or shutting down",
  "57014": "the server has cancelled the statement",
  "25006": "the server takes no writes: it is a standby, or set to read-only",
  "42501": "the user may not do this; it needs CREATE on the schema, and owns the tables then",
  "55P03": "others have kept it locked for too long",
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

/** Why the database cannot be used; null: that is not what the error says. */
export function reasonOf(error: unknown): string | null {
  if (error instanceof TakesNoWrites) return `it takes no writes: ${error.message}`;
  const code = codeOf(error);
  const known = REASONS[code];
  if (known !== undefined) return known;
  const message = messageOf(error);
  if (/^XX00[12]$/.test(code)) return "it is damaged";
  if (/SASL|password must be a string/i.test(message)) {
    return "the server wants a password, and none was given; write it into the URL, or set PGPASSWORD";
  }
  if (/does not support SSL/i.test(message)) {
    return "the server does not speak TLS, which the URL asks for";
  }
  if (/certificate|self.signed|UnknownIssuer|TLS|SSL/i.test(`${message} ${code}`)) {
    return `no secure connection: ${message}; see sslmode and sslrootcert`;
  }
  if (/invalid url|Invalid URL|URI malformed/i.test(message)) {
    return "the URL cannot be read; expected postgres://user:password@host:port/database";
  }
  if (/failed to lookup|dns/i.test(message)) return REASONS["ENOTFOUND"]!;
  if (/timeout/i.test(message)) return REASONS["ETIMEDOUT"]!;
  if (isConflict(error)) return "others were in the way again and again";
  return isLost(error) ? "the connection was lost" : null;
}
