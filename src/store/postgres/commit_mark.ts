/**
 * Finds out what became of a transaction whose connection was lost while it was committed. Each leaves
 * a mark, a row with a number of its writer, as its last act; whoever wants to know tries to leave the
 * same mark in another transaction, and only one of the two can. The server's own memory
 * (`pg_xact_status`) would not do: after a crash, and on a standby that was promoted, numbers of
 * transactions that were lost are given to others, whose commits would then pass for the lost ones.
 *
 * Invariant: once {@link CommitMarks.isThere} has said no, the transaction cannot be committed any more.
 */
import type { Session, Sql } from "./connection.ts";

/** Marks that are of no use any more are deleted when so many have gathered. */
const MANY = 1_000;

export class CommitMarks {
  readonly #writer: string;
  #last = 0;
  #tidiedTo = 0;

  /** @param writer a name that nobody else has; its transactions go one after the other. */
  constructor(writer: string) {
    this.#writer = writer;
  }

  /** The number of the next mark. */
  next(): number {
    return ++this.#last;
  }

  /** Leaves a mark. A transaction that has written nothing needs none. */
  async leave(number: number, nowMs: number, sql: Sql): Promise<void> {
    await sql.run(
      "INSERT INTO commits (writer, number, is_refused, at) SELECT $1, $2, false, $3 " +
        "WHERE pg_current_xact_id_if_assigned() IS NOT NULL",
      ...[this.#writer, number, nowMs],
    );
  }

  /**
   * Whether the transaction with this mark was committed. Waits for one that is still under way. Writes
   * in any case, so that where commits wait for a standby the answer is true there, too.
   */
  async isThere(number: number, session: Session, nowMs: number): Promise<boolean> {
    const row = await session.get(
      "INSERT INTO commits (writer, number, is_refused, at) VALUES ($1, $2, true, $3) " +
        "ON CONFLICT (writer, number) DO UPDATE SET at = excluded.at RETURNING is_refused",
      this.#writer,
      number,
      nowMs,
    );
    return row!["is_refused"] === false;
  }

  get areMany(): boolean {
    return this.#last - this.#tidiedTo >= MANY;
  }

  /** What deletes the marks so far: their transactions are over, and known to be. */
  tidy(): (sql: Sql) => Promise<unknown> {
    const last = this.#tidiedTo = this.#last;
    return (sql) =>
      sql.run("DELETE FROM commits WHERE writer = $1 AND number <= $2", this.#writer, last);
  }
}
