/**
 * Notices that another process has written: each tells the others by NOTIFY after its commits. Where
 * that does not get through (a connection that is lost, a pooler between), looking now and then has to
 * do. Owns the connection that listens.
 */
import type { Session } from "./connection.ts";
import type { Server } from "./server.ts";

/** How often the connection is tried, and everybody told to look for themselves. */
const CALM_MS = 5_000;
/** The same while there is no connection. */
const DEAF_MS = 1_000;

/** How long it may take to say that it is there. */
const ALIVE_MS = 3_000;

type Timer = ReturnType<typeof setTimeout>;

export class ChangeWatch {
  readonly #server: Server;
  readonly #channel: string;
  readonly #ownName: string;
  readonly #listeners = new Set<() => void>();
  #session: Session | null = null;
  #opening: Promise<void> | null = null;
  #timer: Timer | undefined;
  #isTelling = false;
  #isClosed = false;

  /** Notices that name this process are not passed on. */
  constructor(server: Server, channel: string, ownName: string) {
    this.#server = server;
    this.#channel = channel;
    this.#ownName = ownName;
  }

  /** Calls back soon after each change by others, until disposed. */
  subscribe(onChange: () => void): Disposable {
    const listener = () => onChange();
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#look();
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
      },
    };
  }

  /** Calls back now, whoever made the change. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#stop();
    await this.#opening;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const session = this.#session;
    this.#session = null;
    session?.cut();
  }

  /** Sees to it that somebody listens, and goes on doing so. */
  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isClosed || this.#listeners.size === 0) return;
    this.#opening ??= this.#tryListening().finally(() => {
      this.#opening = null;
      if (this.#isClosed || this.#listeners.size === 0) return this.#stop();
      this.tell();
      this.#timer = setTimeout(() => this.#look(), this.#session === null ? DEAF_MS : CALM_MS);
    });
  }

  /** Whether the connection lives is not known until it is used. */
  async #tryListening(): Promise<void> {
    try {
      if (this.#session !== null && !this.#server.hasLeft(this.#session)) {
        await this.#session.script("SELECT 1", ALIVE_MS);
        return;
      }
      this.#session?.cut();
      this.#session = null;
      const session = await this.#server.open();
      this.#session = session;
      session.onNotice = (name) => {
        if (name !== this.#ownName) this.#tellSoon();
      };
      session.onLost = () => {
        if (this.#session !== session) return;
        this.#session = null;
        if (this.#opening === null) this.#look();
      };
      await session.script(`LISTEN ${this.#channel}`);
    } catch {
      if (this.#session !== null) this.#server.hasLost(this.#session);
      this.#session = null;
    }
  }

  /** Several notices that come together are one. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.tell();
    });
  }
}
