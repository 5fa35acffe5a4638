/**
 * Transactions on one connection, one after the other: BEGIN, what the operations do, COMMIT; begun anew
 * after a deadlock or a lost connection. Owns the connection; knows no job, and not what waits.
 *
 * Invariant: {@link Committer.commit} resolves only after the commit, and rejects only if nothing was
 * written, or says that this is not known. What became of a transaction whose connection was lost while
 * it was committed is found out by its mark (`commit_mark.ts`).
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { pause } from "../../lib/pause.ts";
import { CommitMarks } from "./commit_mark.ts";
import type { Session, Sql } from "./connection.ts";
import { isConflict, isLost, isMistaken, Mistaken } from "./errors.ts";
import { Journal } from "./journal.ts";
import { LOCKS, type Place } from "./migrate.ts";
import type { Server } from "./server.ts";
import { NeedsExclusive, OpenTransaction, type Transaction } from "./transaction.ts";

/** What is done in a transaction. May run several times. */
export type Work = (transaction: Transaction) => Promise<unknown>;

/** What is sent right behind a commit, though it does not belong to it; null: nothing. */
export type Announce = (transaction: OpenTransaction) => string | null;

/** A transaction that is over, and what its operations have returned. */
export interface Committed {
  readonly results: readonly unknown[];
  readonly transaction: OpenTransaction;
}

/** How often a transaction begins anew because others were in the way. */
const MOST_CONFLICTS = 12;

/** And for how long: who waits for an answer is to be told. */
const CONFLICTS_MS = 15_000;

/** How often it begins anew because the connection was lost. */
const MOST_LOSSES = 2;

/**
 * After a transaction that took for granted what was not so, so many go step by step: where every job
 * has a webhook, for instance, few are done in vain.
 */
const CAREFUL_AFTER_MISTAKE = 32;

/** How long the server is asked what became of a transaction. */
const VERDICT_MS = 15_000;

const BEGUN = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms, " +
  `(SELECT value FROM meta WHERE key = 'events_until') AS until`;

/** Fails when somebody follows who did not before. */
const STILL_CALM = "SELECT 1 / (CASE WHEN value > $1 THEN 0 ELSE 1 END) AS is_calm FROM meta " +
  "WHERE key = 'events_until'";

export class Committer {
  readonly #server: Server;
  readonly #place: Place;
  readonly #marks: CommitMarks;
  #session: Session | null;
  /** Whether nobody followed when the last transaction began. */
  #isCalm = false;
  /** Transactions that still go step by step. */
  #carefulLeft = 0;

  /** @param name which nobody else has. */
  constructor(
    session: Session | null,
    { server, place, name }: { server: Server; place: Place; name: string },
  ) {
    this.#session = session;
    this.#server = server;
    this.#place = place;
    this.#marks = new CommitMarks(name);
  }

  get hasSession(): boolean {
    return this.#session !== null;
  }

  /**
   * One transaction, tried until it is committed or cannot be. `last` is done after what the others
   * have deferred.
   */
  async commit(
    first: readonly Work[],
    last: readonly Work[] = [],
    announce: Announce = () => null,
  ): Promise<Committed> {
    let isExclusive = false;
    let isCareful = false;
    let losses = 0;
    const sinceMs = performance.now();
    const isLate = () => performance.now() - sinceMs > CONFLICTS_MS;
    for (let conflicts = 0;;) {
      try {
        return await this.#attempt(first, last, { isExclusive, isCareful, announce });
      } catch (error) {
        if (isConflict(error) && conflicts < MOST_CONFLICTS && !isLate()) {
          isExclusive ||= error instanceof NeedsExclusive;
          isCareful ||= error instanceof Mistaken;
          // Those who met must not meet again: the one waits a little longer than the other.
          if (conflicts++ > 0) await pause(Math.random() * 2 ** Math.min(conflicts, 6));
        } else if (isLost(error)) {
          this.#lose();
          if (losses++ >= MOST_LOSSES) throw error;
        } else throw error;
      }
    }
  }

  /** A statement of its own, whose failure does not matter. */
  async say(text: string): Promise<void> {
    await this.#session?.run(text).catch(() => {});
  }

  get hasManyMarks(): boolean {
    return this.#marks.areMany;
  }

  /** What deletes the marks of commits that nobody will ask for. */
  tidying(): (sql: Sql) => Promise<unknown> {
    return this.#marks.tidy();
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }

  async #attempt(
    first: readonly Work[],
    last: readonly Work[],
    { isExclusive, isCareful, announce }: {
      isExclusive: boolean;
      isCareful: boolean;
      announce: Announce;
    },
  ): Promise<Committed> {
    const session = await this.#openSession();
    const results: unknown[] = [];
    const journal = this.#begin(session, isExclusive);
    const transaction = new OpenTransaction(session, journal, {
      place: this.#place,
      isExclusive,
      mayAssume: this.#isCalm && !isCareful && this.#carefulLeft === 0,
    });
    try {
      for (const work of first) results.push(await work(transaction));
      if (last.length > 0) await transaction.writeDeferred();
      for (const work of last) results.push(await work(transaction));
    } catch (error) {
      await this.#giveUp(session, transaction, error);
    }
    await this.#end(session, transaction, announce);
    if (this.#carefulLeft > 0) this.#carefulLeft--;
    return { results, transaction };
  }

  /** Goes to the server with the first statement that the work asks for. */
  #begin(session: Session, isExclusive: boolean): Journal {
    const { lockSpace } = this.#place;
    session.ahead("BEGIN");
    if (isExclusive) {
      session.ahead("SELECT pg_advisory_xact_lock($1::int, $2::int)", lockSpace, LOCKS.exclusive);
    }
    session.ahead("SELECT pg_advisory_xact_lock_shared($1::int, $2::int)", lockSpace, LOCKS.follow);
    const { clock } = this.#server;
    const askedMs = clock.ask();
    const beginning = session.ahead(BEGUN).then(([row]) => {
      clock.heard(row!["now_ms"] as number, askedMs);
      const begun = { nowMs: clock.now(), untilMs: row!["until"] as number };
      this.#isCalm = begun.untilMs <= begun.nowMs;
      journal.began(begun);
      return begun;
    });
    beginning.catch(() => {}); // the statement that it goes with is told
    const journal = new Journal(() => {
      session.flush();
      return beginning;
    });
    return journal;
  }

  /**
   * Writes what was gathered, and commits: together, where nothing is to be looked at in between. Where
   * nobody seems to follow, that is checked on the way, and not known before.
   */
  async #end(
    session: Session,
    transaction: OpenTransaction,
    announce: Announce,
  ): Promise<void> {
    const mark = this.#marks.next();
    const { journal } = transaction;
    const isCalm = () => journal.isKnown ? !journal.mayBeFollowed : this.#isCalm;
    let isCommitting = false;
    try {
      await transaction.end(() => {
        isCommitting = true;
        const nowMs = this.#server.clock.now();
        if (isCalm() && !journal.isKnown) void session.ahead(STILL_CALM, nowMs);
        const marking = this.#marks.leave(mark, nowMs, session);
        const committing = session.run("COMMIT");
        const announcement = announce(transaction);
        if (announcement !== null) session.run(announcement).catch(() => {});
        return Promise.all([marking, committing]);
      }, isCalm);
    } catch (error) {
      if (!isCommitting || !isLost(error)) await this.#giveUp(session, transaction, error);
      this.#lose();
      if (!await this.#wasCommitted(mark)) throw error;
    }
  }

  /** @throws {unknown} the error, when all is undone. */
  async #giveUp(session: Session, transaction: OpenTransaction, error: unknown): Promise<never> {
    transaction.forget();
    if (!isLost(error)) await session.run("ROLLBACK").catch(() => session.cut());
    const cause = transaction.failure ?? error;
    if (!isMistaken(cause)) throw cause;
    this.#isCalm = false; // until the next one has asked
    this.#carefulLeft = CAREFUL_AFTER_MISTAKE;
    throw new Mistaken("what was taken for granted is not so", { cause });
  }

  async #openSession(): Promise<Session> {
    if (this.#session !== null && this.#server.hasLeft(this.#session)) this.#lose();
    return this.#session ??= await this.#server.open();
  }

  #lose(): void {
    if (this.#session !== null) this.#server.hasLost(this.#session);
    this.#session = null;
  }

  /** What became of a transaction whose connection was lost while it was to be committed. */
  async #wasCommitted(mark: number): Promise<boolean> {
    const deadlineMs = performance.now() + VERDICT_MS;
    let lastError: unknown;
    while (performance.now() < deadlineMs) {
      try {
        return await this.#marks.isThere(
          mark,
          await this.#openSession(),
          this.#server.clock.now(),
        );
      } catch (error) {
        lastError = error;
        this.#lose();
      }
      await pause(100);
    }
    throw new StoreUnavailableError(
      `the connection to the database ${this.#server.shown} was lost while a change was committed, and ` +
        "it cannot be said whether it was; look before you repeat it",
      { cause: lastError },
    );
  }
}
