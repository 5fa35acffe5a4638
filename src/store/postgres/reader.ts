/**
 * Reads: a few connections that are opened when they are wanted. While all of them are in use, what is
 * to be read gathers, and the next that is free takes its share in one round trip. One that was lost is
 * replaced, and what was to be read is read again; also when others were in the way, as a step of the
 * schema may be, which locks whole tables. Knows no table.
 *
 * Invariant: a read that fails fails alone.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { pause } from "../../lib/pause.ts";
import type { Row, Session, Sql, SqlValue } from "./connection.ts";
import { isConflict, isLost } from "./errors.ts";
import type { Server } from "./server.ts";

const MOST_SESSIONS = 4;

/** Reads that go to the server together: all wait for the longest of them. */
const MOST_TOGETHER = 16;

/** A connection that nobody has used for so long is closed. */
const IDLE_MS = 30_000;

const MOST_LOSSES = 2;

/** For how long one reads again what others were in the way of. */
const CONFLICTS_MS = 15_000;

/** A pause between, of a random part of this, so that those who met do not meet again. */
const CONFLICT_PAUSE_MS = 50;

/** A read that waits for a connection; undefined: for it to look again. */
interface Waiter {
  readonly isAlone: boolean;
  readonly go: (session: Session | undefined) => void;
  readonly giveUp: (error: unknown) => void;
}

export class Reader implements Sql {
  readonly #server: Server;
  readonly #free: { session: Session; sinceMs: number }[] = [];
  readonly #queue: Waiter[] = [];
  /** How many reads each connection is used for. */
  readonly #busy = new Map<Session, number>();
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
    for (const session of this.#busy.keys()) session.cut();
    await Promise.all(this.#free.splice(0).map(({ session }) => session.close()));
  }

  async #read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const sinceMs = performance.now();
    let isAlone = false;
    for (let losses = 0;;) {
      const session = await this.#take(isAlone);
      const isShared = this.#busy.get(session)! > 1;
      let hasMet = false;
      try {
        return await work(session);
      } catch (error) {
        if (isLost(error)) this.#lose(session);
        hasMet = isConflict(error) && performance.now() - sinceMs < CONFLICTS_MS;
        const isAgain = hasMet || isShared || isLost(error) && losses++ < MOST_LOSSES;
        if (!isAgain || this.#isClosed) throw this.#server.told(error);
        isAlone ||= isShared && !isLost(error); // it may be another's
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

  async #take(isAlone: boolean): Promise<Session> {
    while (true) {
      if (this.#isClosed) {
        throw new StoreUnavailableError(`the database ${this.#server.shown} is closed`);
      }
      let session: Session | undefined;
      if (this.#free.length > 0) session = this.#free.pop()!.session;
      else if (this.#open < MOST_SESSIONS) session = await this.#openAnother();
      else {
        session = await new Promise<Session | undefined>((go, giveUp) =>
          this.#queue.push({ isAlone, go, giveUp })
        );
      }
      if (session === undefined) continue;
      if (this.#busy.has(session)) return session; // it was handed over
      if (!this.#isOfUse(session)) continue;
      this.#busy.set(session, 1);
      return session;
    }
  }

  async #openAnother(): Promise<Session> {
    this.#open++;
    try {
      return await this.#server.open();
    } catch (error) {
      this.#open--;
      // Where nobody has a session, all have waited for this one; else for one that comes back.
      if (this.#busy.size + this.#free.length > 0) this.#queue.shift()?.go(undefined);
      else for (const { giveUp } of this.#queue.splice(0)) giveUp(error);
      throw error;
    }
  }

  #isOfUse(session: Session): boolean {
    if (!this.#server.hasLeft(session)) return true;
    session.cut();
    this.#open--;
    return false;
  }

  #giveBack(session: Session): void {
    const others = this.#busy.get(session)! - 1;
    if (others > 0) {
      this.#busy.set(session, others);
      return;
    }
    this.#busy.delete(session);
    if (this.#isClosed) {
      session.cut();
      for (const { go } of this.#queue.splice(0)) go(undefined);
    } else if (!this.#isOfUse(session)) this.#queue.shift()?.go(undefined);
    else if (this.#queue.length > 0) {
      const together = this.#nextTogether();
      this.#busy.set(session, together.length);
      for (const { go } of together) go(session);
    } else {
      this.#free.push({ session, sinceMs: performance.now() });
      this.#sweeper ??= setInterval(this.#sweep, IDLE_MS);
    }
  }

  /** The share of one connection in what waits, in the order in which it came. */
  #nextTogether(): Waiter[] {
    if (this.#queue[0]!.isAlone) return [this.#queue.shift()!];
    const alone = this.#queue.findIndex(({ isAlone }) => isAlone);
    const until = alone === -1 ? this.#queue.length : alone;
    const share = Math.ceil(this.#queue.length / MOST_SESSIONS);
    return this.#queue.splice(0, Math.min(until, share, MOST_TOGETHER));
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
