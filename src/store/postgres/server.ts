/**
 * The server of a URL, which may name several hosts: finds the one that takes writes, and opens sessions
 * there. Owns the choice of the host and what is known of the server's clock; knows no table.
 *
 * Invariant: no session of it is on a host that takes no writes, as far as that host says.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { shownDatabase } from "../../lib/database_url.ts";
import { RemoteClock } from "../../lib/remote_clock.ts";
import { Session } from "./connection.ts";
import { asStoreError, openingReason } from "./errors.ts";
import { hostsOf } from "./opening.ts";
import { type Host, parseTarget, type Target } from "./target.ts";

export class Server {
  /** Without password and parameters. */
  readonly shown: string;
  /** What the server's clock shows, by which all processes go. */
  readonly clock = new RemoteClock();
  readonly #target: Target;
  /** What a session has to do before it is used. */
  onOpen: (session: Session) => Promise<void> = () => Promise.resolve();
  /** Where the last session was opened, and the next one is tried first. */
  #current = 0;

  /** @throws {StoreUnavailableError} when the URL cannot be read. */
  constructor(url: string) {
    this.shown = shownDatabase(url);
    try {
      this.#target = parseTarget(url, (name) => Deno.env.get(name));
    } catch (error) {
      const why = (error as Error).message;
      throw new StoreUnavailableError(`cannot use the database ${this.shown}: ${why}`);
    }
  }

  /** @throws {StoreUnavailableError} saying what each host has said. */
  async open(): Promise<Session> {
    const hosts = await hostsOf(this.#target);
    const first = this.#current;
    const told: string[] = [];
    for (let step = 0; step < hosts.length; step++) {
      const index = (first + step) % hosts.length;
      const host = hosts[index]!;
      try {
        const session = await this.#openOn(host);
        this.#current = index;
        session.place = index;
        return session;
      } catch (error) {
        const reason = openingReason(error);
        told.push(this.#target.hosts.length === 1 ? reason : `${host.shown}: ${reason}`);
      }
    }
    throw new StoreUnavailableError(`cannot use the database ${this.shown}: ${told.join("; ")}`);
  }

  async #openOn(host: Host): Promise<Session> {
    const session = await Session.open(host, this.#target, this.clock);
    try {
      await this.onOpen(session);
    } catch (error) {
      session.cut();
      throw error;
    }
    return session;
  }

  /** Whether a session is of no use any more: it is lost, or others have gone on to another host. */
  hasLeft(session: Session): boolean {
    return session.isLost || session.place !== this.#current;
  }

  /**
   * A session was lost. One that got no answer may be cut off with its host, or be of a server that
   * waits for a standby in vain: then another host is asked first.
   */
  hasLost(session: Session): void {
    session.cut();
    if (!session.isSilent || session.place !== this.#current) return;
    this.#current = (this.#current + 1) % Math.max(this.#target.hosts.length, 1);
  }

  /** The error as the store's users see it. */
  told(error: unknown): unknown {
    return asStoreError(error, this.shown);
  }
}
