/**
 * Access tokens as people use them: made, looked at, revoked. Owns their names; knows neither
 * requests nor terminals. Invariant: the secret leaves this file once, in the answer to `create`.
 */
import { ConflictError, InvalidInputError, type Problem, QueueError } from "../job/errors.ts";
import { describe } from "../job/parse.ts";
import { isScope, type Scope, SCOPES } from "../job/scope.ts";
import { hashSecret, newSecret, newShortId } from "../lib/secret.ts";
import type { JobStore, NewToken, Signature, StoredToken } from "../store/store.ts";

/** Without a colon: `cli:ann` in the audit log is a person, never a token. */
const NAME_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;

/** What the audit log calls callers without a token of their own. */
export const CALLERS = {
  /** Without any token, on an address that only this machine reaches. */
  loopback: "loopback",
  /** Without any token, where the operator said `--insecure`. */
  anonymous: "anonymous",
  /** With the token of the setting `token-file`. */
  tokenFile: "token-file",
} as const;

const RESERVED_NAMES: readonly string[] = Object.values(CALLERS);

const MOST_LIFE_MS = 3_650 * 86_400_000;

export interface TokenRequest {
  readonly name: string;
  /** Words separated by commas. */
  readonly scopes: string;
  /** Null: never. */
  readonly expiresInMs: number | null;
}

/**
 * Makes a token and stores its hash.
 *
 * @throws {InvalidInputError} with every problem, {@link ConflictError} when the name is in use.
 */
export async function createToken(
  store: JobStore,
  { name, scopes, expiresInMs }: TokenRequest,
  signed: Signature,
): Promise<{ token: NewToken; secret: string }> {
  const secret = newSecret();
  const problems: Problem[] = [];
  checkName(name, problems);
  if (expiresInMs !== null && (expiresInMs <= 0 || expiresInMs > MOST_LIFE_MS)) {
    const detail = "expires: expected a duration above 0 and up to 3650d";
    problems.push({ detail, pointer: "/expires" });
  }
  const token: NewToken = {
    id: newShortId(),
    name,
    hash: hashSecret(secret),
    scopes: parseScopes(scopes, problems),
    createdAtMs: signed.atMs,
    expiresAtMs: expiresInMs === null ? null : signed.atMs + expiresInMs,
  };
  if (problems.length > 0) throw new InvalidInputError(problems);
  if (await store.createToken(token, signed)) return { token, secret };
  throw new ConflictError(
    `a token with the name ${JSON.stringify(name)} exists already; revoke it first, or choose ` +
      "another name",
  );
}

/** @throws {QueueError} when there is none with this id. */
export async function revokeToken(
  store: JobStore,
  id: string,
  signed: Signature,
): Promise<StoredToken> {
  const token = await store.revokeToken(id, signed);
  if (token !== null) return token;
  throw new QueueError("conflict", `there is no token with the id ${describe(id)}`);
}

/** Whether the token still counts. */
export function isValidAt({ expiresAtMs }: NewToken, nowMs: number): boolean {
  return expiresAtMs === null || nowMs < expiresAtMs;
}

function checkName(name: string, problems: Problem[]): void {
  if (!NAME_PATTERN.test(name)) {
    problems.push({
      detail: `name: expected 1 to 64 characters of A-Z a-z 0-9 . _ -, got ${describe(name)}`,
      pointer: "/name",
    });
  } else if (RESERVED_NAMES.includes(name)) {
    const detail = `name: the audit log calls others ${name}; choose another name`;
    problems.push({ detail, pointer: "/name" });
  }
}

/** The scopes in the order of their table, each once. */
function parseScopes(text: string, problems: Problem[]): Scope[] {
  const words = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
  const strangers = words.filter((word) => !isScope(word));
  if (words.length === 0 || strangers.length > 0) {
    const found = strangers.length > 0 ? strangers.map(describe).join(", ") : "none";
    const detail = `scopes: expected one or more of ${SCOPES.join(",")}, got ${found}`;
    problems.push({ detail, pointer: "/scopes" });
  }
  return SCOPES.filter((scope) => words.includes(scope));
}
