/**
 * Reads: a few connections that are opened when they are wanted. One that was lost is replaced, and
 * what was to be read is read again; also when others were in the way, as a step of the schema may be,
 * which locks whole tables. Knows no table.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { pause } from "../../lib/pause.ts";
import type { Row, Session, Sql, SqlValue } from "./connection.ts";
import { isConflict, isLost } from "./errors.ts";
import type { Server } from "./server.ts";

/** Reads at the same time. */
const MOST_SESSIONS = 4;

/** A connection that nobody has used for so long is closed. */
const IDLE_MS = 30_000;

const MOST_LOSSES = 2;

/** For how long one reads again what others were in the way of. */
const CONFLICTS_MS = 15_000;

/** A pause between, of a random part of this, so that those who met do not meet again. */
const CONFLICT_PAUSE_MS = 50;

export class Reader implements Sql {
  readonly #server: Server;
  readonly #free: { session: Session; sinceMs: number }[] = [];
  readonly #queue: { go: () => void; giveUp: (error: unknown) => void }[] = [];
  readonly #busy = new Set<Session>();
  #open = 0;
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(server: Server) {
    this.#server = server;
  }

  all(text: string, ...values: SqlValue[]): Promise<Row[]> {
    return this.#read((session) => session.all(text, ...values));
  }

  get(text: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return this.#read((session) => session.get(text, ...values));
  }

  run(text: string, ...values: SqlValue[]): Promise<number> {
    return this.#read((session) => session.run(text, ...values));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    for (const session of this.#busy) session.cut();
    await Promise.all(this.#free.splice(0).map(({ session }) => session.close()));
  }

  async #read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const sinceMs = performance.now();
    for (let losses = 0;;) {
      const session = await this.#take();
      let hasMet = false;
      try {
        return await work(session);
      } catch (error) {
        if (isLost(error)) this.#lose(session);
        hasMet = isConflict(error) && performance.now() - sinceMs < CONFLICTS_MS;
        const isAgain = hasMet || isLost(error) && losses++ < MOST_LOSSES;
        if (!isAgain || this.#isClosed) throw this.#server.told(error);
      } finally {
        this.#giveBack(session);
      }
      if (hasMet) await pause(Math.random() * CONFLICT_PAUSE_MS);
    }
  }

  /** What one session has met, the others that nobody uses have probably met, too. */
  #lose(session: Session): void {
    this.#server.hasLost(session);
    for (const { session } of this.#free) session.cut();
  }

  async #take(): Promise<Session> {
    while (true) {
      if (this.#isClosed) {
        throw new StoreUnavailableError(`the database ${this.#server.shown} is closed`);
      }
      const free = this.#free.pop();
      if (free !== undefined) {
        if (this.#server.hasLeft(free.session)) {
          free.session.cut();
          this.#open--;
          continue;
        }
        this.#busy.add(free.session);
        return free.session;
      }
      if (this.#open < MOST_SESSIONS) {
        this.#open++;
        try {
          const session = await this.#server.open();
          this.#busy.add(session);
          return session;
        } catch (error) {
          this.#open--;
          // Where nobody has a session, all have waited for this one; else for one that comes back.
          if (this.#busy.size + this.#free.length > 0) this.#queue.shift()?.go();
          else for (const { giveUp } of this.#queue.splice(0)) giveUp(error);
          throw error;
        }
      }
      await new Promise<void>((go, giveUp) => this.#queue.push({ go, giveUp }));
    }
  }

  #giveBack(session: Session): void {
    this.#busy.delete(session);
    if (session.isLost) this.#open--;
    else if (this.#isClosed) session.cut();
    else {
      this.#free.push({ session, sinceMs: performance.now() });
      this.#sweeper ??= setInterval(this.#sweep, IDLE_MS);
    }
    this.#queue.shift()?.go();
  }

  readonly #sweep = (): void => {
    const beforeMs = performance.now() - IDLE_MS;
    while (this.#free[0] !== undefined && this.#free[0].sinceMs < beforeMs) {
      this.#open--;
      void this.#free.shift()!.session.close();
    }
    if (this.#open > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  };
}
