/**
 * Browsers that have signed in with a token. Owns the cookie: it holds a random name of the session,
 * never the token, and the session ends when nobody uses it, when its token stops to count, and
 * with the process.
 *
 * Invariant: a cookie counts only for requests that this server's own pages send, or that a person
 * makes by hand; cookies are sent to every port of a machine, and also from pages there.
 */
import { hashSecret, hexOf } from "../lib/secret.ts";
import type { Caller, TokenGuard } from "./auth.ts";
import { foreignOrigin } from "./host.ts";

/** A session that is not used for so long is over. */
const IDLE_MS = 12 * 3_600_000;

/** The most sessions at a time; the one that was used least recently makes room. */
const MOST_SESSIONS = 1_000;

const NAME_BYTES = 32;

interface Session {
  readonly tokenHash: Uint8Array;
  usedAtMs: number;
}

export class Sessions {
  readonly #tokens: TokenGuard;
  /** Those used least recently first, by the hash of their name. */
  readonly #sessions = new Map<string, Session>();
  /** Set when the port is known: servers on several ports of a machine share its cookies. */
  cookieName = "queuectl";

  constructor(tokens: TokenGuard) {
    this.#tokens = tokens;
  }

  /** While true, {@link identify} need not be asked. */
  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /** Who sends the request, by its cookie; null: nobody who has signed in. */
  identify(headers: Headers): Caller | null {
    const key = this.#keyOf(headers);
    const session = key === null ? undefined : this.#sessions.get(key);
    if (session === undefined || foreignOrigin(headers) !== null) return null;
    const nowMs = performance.now();
    const caller = this.#tokens.identifyHash(session.tokenHash);
    this.#sessions.delete(key!);
    if (caller === null || nowMs - session.usedAtMs > IDLE_MS) return null;
    session.usedAtMs = nowMs;
    this.#sessions.set(key!, session);
    return caller;
  }

  /** Starts a session: its cookie, or null when the token does not count. */
  start(token: string, headers: Headers): string | null {
    const tokenHash = hashSecret(token);
    if (this.#tokens.identifyHash(tokenHash) === null) return null;
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < MOST_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    const name = hexOf(crypto.getRandomValues(new Uint8Array(NAME_BYTES)));
    this.#sessions.set(keyOf(name), { tokenHash, usedAtMs: performance.now() });
    return this.#cookie(name, headers);
  }

  /** Ends the session of these headers; the cookie that makes the browser forget it. */
  end(headers: Headers): string {
    const key = this.#keyOf(headers);
    if (key !== null) this.#sessions.delete(key);
    return `${this.#cookie("", headers)}; Max-Age=0`;
  }

  #keyOf(headers: Headers): string | null {
    const cookies = headers.get("cookie");
    if (cookies === null) return null;
    for (const cookie of cookies.split(";")) {
      const equals = cookie.indexOf("=");
      if (cookie.slice(0, equals).trim() === this.cookieName) {
        return keyOf(cookie.slice(equals + 1).trim());
      }
    }
    return null;
  }

  /** The page may have come over TLS from a proxy in front: its origin says so. */
  #cookie(value: string, headers: Headers): string {
    const secure = headers.get("origin")?.startsWith("https:") ? "; Secure" : "";
    return `${this.cookieName}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  }
}

/** By its hash, so that how long a look-up takes tells nothing about names that exist. */
function keyOf(name: string): string {
  return hexOf(hashSecret(name));
}
