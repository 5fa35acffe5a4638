/**
 * Whether a request carries the server's token. Owns the comparison; keeps the token's hash only,
 * and tells nobody how close a guess was.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export class TokenGuard {
  readonly #expected: Uint8Array | null;

  /** Without a token every request is let through. */
  constructor(token: string | null) {
    this.#expected = token === null ? null : sha256(token);
  }

  /** Whether the `Authorization` header carries the token. */
  allows(authorization: string | null): boolean {
    if (this.#expected === null) return true;
    const given = authorization === null
      ? undefined
      : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    // Hashes have one length, so that comparing them in constant time says nothing about the token.
    return given !== undefined && timingSafeEqual(sha256(given), this.#expected);
  }
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
