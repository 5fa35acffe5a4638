/**
 * The tokens of the database, in memory, so that a request costs no query. Owns their freshness:
 * what any process creates or revokes counts here within a second.
 */
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { hexOf } from "../lib/secret.ts";
import { isValidAt } from "../queue/tokens.ts";
import type { JobStore, StoredToken } from "../store/store.ts";

/** How often the tokens are read again: some microseconds, whatever else the database does. */
const REFRESH_MS = 400;

/** A token that is used all the time is written down this often. */
const NOTE_USE_MS = 60_000;

export class TokenBook {
  readonly #store: JobStore;
  readonly #clock: Clock;
  /** By the hash in hexadecimal digits. */
  #tokens: ReadonlyMap<string, StoredToken> = new Map();
  /** Ids of tokens used since the last refresh. */
  readonly #used = new Set<string>();
  readonly #notedAtMs = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #refreshing: Promise<void> | null = null;

  private constructor(store: JobStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads the tokens, and goes on reading them until it is closed. */
  static async open(store: JobStore, clock: Clock): Promise<TokenBook> {
    const book = new TokenBook(store, clock);
    await book.#read();
    book.#timer = setInterval(() => book.#refreshing ??= book.#refresh(), REFRESH_MS);
    return book;
  }

  get isEmpty(): boolean {
    return this.#tokens.size === 0;
  }

  /** Whether there is a token that still counts. */
  get isUsable(): boolean {
    return [...this.#tokens.values()].some((token) => isValidAt(token, this.#clock()));
  }

  /**
   * The token with this hash, if it still counts. How long the look-up takes can tell something
   * about hashes, which nobody can choose; the whole hash is then compared in constant time.
   */
  find(hash: Uint8Array): StoredToken | null {
    const token = this.#tokens.get(hexOf(hash));
    if (token === undefined || !timingSafeEqual(hash, token.hash)) return null;
    if (!isValidAt(token, this.#clock())) return null;
    this.#used.add(token.id);
    return token;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#refreshing;
    await this.#noteUses().catch(() => {});
  }

  /** While the store cannot be read or written, what was known last counts. */
  async #refresh(): Promise<void> {
    try {
      await this.#read();
      await this.#noteUses();
    } catch { /* the next refresh tries again */ }
    this.#refreshing = null;
  }

  async #read(): Promise<void> {
    const tokens = await this.#store.tokens();
    this.#tokens = new Map(tokens.map((token) => [hexOf(token.hash), token]));
  }

  async #noteUses(): Promise<void> {
    const nowMs = this.#clock();
    const ids = [...this.#used].filter((id) =>
      nowMs - (this.#notedAtMs.get(id) ?? -Infinity) >= NOTE_USE_MS
    );
    if (ids.length === 0) return;
    await this.#store.useTokens(ids, nowMs);
    for (const id of ids) {
      this.#used.delete(id);
      this.#notedAtMs.set(id, nowMs);
    }
  }
}
