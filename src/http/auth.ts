/**
 * Who sends a request, and what they may do. Owns the decision; compares hashes only, in constant
 * time, and tells nobody how close a guess was.
 *
 * | where it listens     | tokens                                          | a request without one |
 * |----------------------|-------------------------------------------------|-----------------------|
 * | loopback             | none needed                                     | may do everything     |
 * | loopback             | `token-file` is given, or `require-token` is on | 401                   |
 * | another address      | `token-file`, or one in the database            | 401                   |
 * | another address      | `insecure`                                      | may do everything     |
 *
 * A token that is given counts everywhere, once there are any: a wrong one is 401 and a right one
 * may do what its scopes say, on an open loopback too.
 */
import { timingSafeEqual } from "node:crypto";
import { ForbiddenError } from "../job/errors.ts";
import { type Scope, SCOPES } from "../job/scope.ts";
import { hashSecret } from "../lib/secret.ts";
import { CALLERS } from "../queue/tokens.ts";
import type { TokenBook } from "./token_book.ts";

/** Who sends a request. */
export interface Caller {
  /** As the audit log names them. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly hasToken: boolean;
}

export interface TokenGuardOptions {
  /** The token of the setting `token-file`, which may do everything. */
  readonly fileToken: string | null;
  /** The tokens of the database. */
  readonly book: TokenBook;
  /** Whether requests without a token are refused. */
  readonly isRequired: boolean;
  /** Whether only this machine can reach the server. */
  readonly isLoopback: boolean;
}

export class TokenGuard {
  readonly #book: TokenBook;
  readonly #fileHash: Uint8Array | null;
  readonly #fileCaller: Caller = { name: CALLERS.tokenFile, scopes: SCOPES, hasToken: true };
  /** Null: requests without a token are refused. */
  readonly #withoutToken: Caller | null;

  constructor({ fileToken, book, isRequired, isLoopback }: TokenGuardOptions) {
    this.#book = book;
    this.#fileHash = fileToken === null ? null : hashSecret(fileToken);
    const name = isLoopback ? CALLERS.loopback : CALLERS.anonymous;
    this.#withoutToken = isRequired ? null : { name, scopes: SCOPES, hasToken: false };
  }

  /** Who sends a request with this `Authorization` header; null: nobody who is known here. */
  identify(authorization: string | null): Caller | null {
    const isTokenless = this.#fileHash === null && this.#book.isEmpty;
    if (authorization === null || isTokenless) return this.#withoutToken;
    const given = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (given === undefined) return null;
    return this.identifyHash(hashSecret(given));
  }

  /** Who has the token with this hash; null: nobody who is known here. */
  identifyHash(hash: Uint8Array): Caller | null {
    // Hashes have one length, so that comparing them in constant time says nothing about the token.
    if (this.#fileHash !== null && timingSafeEqual(hash, this.#fileHash)) return this.#fileCaller;
    const token = this.#book.find(hash);
    return token === null ? null : { name: token.name, scopes: token.scopes, hasToken: true };
  }
}

/** The refusal of a known caller who may not do this. */
export function missingScope({ name, scopes }: Caller, needed: Scope): ForbiddenError {
  return new ForbiddenError(
    `this needs a token with the scope ${needed}; the token ${JSON.stringify(name)} has ` +
      scopes.join(","),
  );
}
