/**
 * The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent
 * again, because its answer was lost, adds nothing again. Owns the header's syntax, the fingerprint of
 * a request and which requests are under way; the store keeps what became of their jobs.
 *
 * Invariant: a request without the header comes no further than the look for it.
 */
import { createHash, type Hash } from "node:crypto";
import { MalformedInputError } from "../job/errors.ts";
import type { RequestKey } from "../store/store.ts";
import { mediaTypeOf } from "./content_type.ts";
import type { Call } from "./context.ts";
import { RequestError } from "./problem.ts";

const KEY_LENGTH = 255;

/** A request that has a key. */
export class KeyedRequest {
  readonly #caller: string;
  readonly #key: string;
  readonly #hash: Hash;

  constructor(call: Call, key: string) {
    this.#caller = call.caller.name;
    this.#key = key;
    this.#hash = createHash("sha256");
    const { method, url } = call.request;
    // Not the parameters of the content type: the boundary of a form is made anew for every sending.
    const mediaType = mediaTypeOf(call.request);
    const { pathname } = new URL(url);
    this.#hash.update(JSON.stringify([method, pathname, mediaType]));
  }

  /** Adds to the fingerprint: the body, or one part of a form by its name. */
  cover(bytes: Uint8Array, name = ""): void {
    this.coverHash(this.hash().update(bytes), name);
  }

  /** For what comes in pieces: to be updated with each, and covered when all have come. */
  hash(): Hash {
    return createHash("sha256");
  }

  coverHash(hash: Hash, name: string): void {
    this.#hash.update(JSON.stringify(name)).update(hash.digest());
  }

  /** What the store knows the request by; the fingerprint is complete then. */
  end(): RequestKey {
    return { caller: this.#caller, key: this.#key, fingerprint: this.#hash.digest() };
  }
}

/** The keyed requests that are under way in this process. */
export class RequestsUnderWay {
  readonly #keys = new Set<string>();

  /**
   * Handles a request, once at a time for each key of a caller.
   *
   * @throws {MalformedInputError} for a key that is none.
   */
  handle(
    call: Call,
    handler: (call: Call, keyed: KeyedRequest | null) => Promise<Response>,
  ): Promise<Response> {
    const header = call.request.headers.get("idempotency-key");
    return header === null ? handler(call, null) : this.#handleOnce(call, header, handler);
  }

  async #handleOnce(
    call: Call,
    header: string,
    handler: (call: Call, keyed: KeyedRequest | null) => Promise<Response>,
  ): Promise<Response> {
    const key = parseKey(header);
    const entry = JSON.stringify([call.caller.name, key]);
    if (this.#keys.has(entry)) {
      throw new RequestError(
        "idempotency-key-in-use",
        "a request with this Idempotency-Key is under way; ask again when it is answered",
      );
    }
    this.#keys.add(entry);
    try {
      return await handler(call, new KeyedRequest(call, key));
    } finally {
      this.#keys.delete(entry);
    }
  }
}

/**
 * The key in the header: a string in quotes (RFC 9651, section 3.3.3), or, as most clients send it,
 * the bare key.
 */
export function parseKey(header: string): string {
  const text = header.trim();
  const quoted = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/.exec(text)?.[1];
  const bare = /^[!#-+\--[\]-~]+$/.test(text) ? text : undefined;
  const key = quoted?.replace(/\\(["\\])/g, "$1") ?? bare;
  if (key !== undefined && key.length >= 1 && key.length <= KEY_LENGTH) return key;
  throw new MalformedInputError(
    `Idempotency-Key: expected one key of 1 to ${KEY_LENGTH} characters of ASCII, in double quotes ` +
      'such as "8e03978e-40d5-43dd-bc93-6894a57f9324", or bare without spaces and commas; got ' +
      JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text),
  );
}
