/** The part of the store's seam that keeps the tokens of the API: their hashes, never a secret. */
import type { Scope } from "../job/scope.ts";
import type { Signature } from "./audit.ts";

export interface TokenStore {
  /** Keeps a token. False: another one has its name. */
  createToken(token: NewToken, signed?: Signature): Promise<boolean>;
  /** Every token, oldest first, expired ones too. */
  tokens(): Promise<StoredToken[]>;
  /** Deletes a token; returns it, or null when there is none with this id. */
  revokeToken(id: string, signed?: Signature): Promise<StoredToken | null>;
  /** Notes when tokens were used last. */
  useTokens(ids: readonly string[], nowMs: number): Promise<void>;
}

/** A token that is to be kept: its hash, never the secret itself. */
export interface NewToken {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the secret. */
  readonly hash: Uint8Array;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  /** Null: never. */
  readonly expiresAtMs: number | null;
}

export interface StoredToken extends NewToken {
  readonly lastUsedAtMs: number | null;
}
