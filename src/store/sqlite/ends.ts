/**
 * What the end of one job means to others, written in the transaction that ends it: its unique key
 * is free, the jobs that wait for it run or are cancelled, its outcome is to be told. Called for jobs
 * with such traits only; plain ones never come here.
 *
 * Invariant: what one end brings about, however far it goes, is done in steps, of which a transaction
 * takes a bounded number. The rest is kept in `endings` and goes on in the next transaction.
 */
import {
  type EndingJob,
  type EndState,
  meets,
  type ToldEnd,
  unmetError,
} from "../shared/endings.ts";
import { type AfterCondition, type AttemptError, HELD_MS } from "../../job/job.ts";
import { fromStates, targetState } from "../guard.ts";
import type { Connection, Row } from "./connection.ts";
import { prepareDeliveryRecord } from "./deliveries.ts";
import { errorToText, RENEWED_AGE } from "../shared/rows.ts";
import { MATTERS_AT_END, TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Transaction } from "./transaction_counts.ts";

export interface Ends {
  /** The job has just entered the state. */
  onEnd(job: EndingJob, state: EndState, nowMs: number, transaction: Transaction): void;
  /** The job is about to be deleted before it has run: to others that is as if it were cancelled. */
  onRemoval(job: EndingJob, nowMs: number, transaction: Transaction): void;
  /** Cancels a job that cannot run any more, because of what others did. */
  cancelWaiting(seq: number, error: AttemptError, nowMs: number, transaction: Transaction): void;
  /** Goes on where former transactions have stopped. */
  resume(transaction: Transaction): void;
}

/** A job that has ended, of which not all dependents may know yet. */
interface Ending {
  readonly seq: number;
  readonly state: ToldEnd;
  readonly atMs: number;
  /** Those up to this one know. */
  toldSeq: number;
}

/** Dependents read at once. */
const PAGE = 128;

export function prepareEnds(connection: Connection): Ends {
  const recordDelivery = prepareDeliveryRecord(connection);
  const freeKey = connection.prepare("DELETE FROM unique_keys WHERE seq = ?");
  // Served by the index dependents, which ends in the primary key.
  const selectDependents = connection.prepare(
    "SELECT seq, on_id, condition, run_at FROM dependencies " +
      "WHERE on_seq = ? AND is_met = 0 AND seq > ? ORDER BY seq LIMIT ?",
  );
  const meet = connection.prepare(
    "UPDATE dependencies SET is_met = 1 WHERE seq = ? AND on_seq = ?",
  );
  const isHeld = connection.prepare("SELECT 1 FROM dependencies WHERE seq = ? AND is_met = 0");
  const letGo = connection.prepare(
    `UPDATE jobs SET run_at = ?, updated_at = ?, options = ${RENEWED_AGE} ` +
      `WHERE seq = ? AND run_at = ${HELD_MS} AND ${fromStates("claim")}`,
  );
  const cancel = connection.prepare(
    `UPDATE jobs SET state = ${targetState("cancel")}, last_error = ?, updated_at = ?, ` +
      `finished_at = ? WHERE seq = ? AND ${fromStates("cancel")} RETURNING queue, traits`,
  );
  const stateOf = connection.prepare("SELECT state FROM jobs WHERE seq = ?");
  const selectEndings = connection.prepare("SELECT seq, state, at, told_seq FROM endings LIMIT ?");
  const forget = connection.prepare("DELETE FROM endings WHERE seq = ?");
  const keep = connection.prepare(
    "INSERT INTO endings (seq, state, at, told_seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );

  function onEnd(
    job: EndingJob,
    state: ToldEnd,
    nowMs: number,
    transaction: Transaction,
  ): void {
    if ((job.traits & MATTERS_AT_END) === 0) return;
    const endings: Ending[] = [];
    end(job, state, { atMs: nowMs, endings }, transaction);
    tellAll(endings, transaction);
  }

  /** What the end means, but for those who wait for it: they are told later, from `endings`. */
  function end(
    { seq, traits }: EndingJob,
    state: ToldEnd,
    { atMs, endings }: { atMs: number; endings: Ending[] },
    transaction: Transaction,
  ): void {
    if (traits & TRAITS.UNIQUE) freeKey.run(seq);
    if (traits & TRAITS.CALLBACK) {
      recordDelivery(seq, state === "deleted" ? "cancelled" : state, atMs, transaction);
    }
    if (traits & TRAITS.AWAITED) endings.push({ seq, state, atMs, toldSeq: 0 });
  }

  /** A loop, not a recursion: chains may be longer than the stack is deep. */
  function tellAll(endings: Ending[], transaction: Transaction): void {
    while (endings.length > 0) {
      const ending = endings.at(-1)!;
      const rows = selectDependents.all(ending.seq, ending.toldSeq, PAGE);
      if (rows.length < PAGE) endings.pop();
      for (const row of rows) {
        if (!transaction.takeStep()) {
          if (!endings.includes(ending)) endings.push(ending);
          for (const { seq, state, atMs, toldSeq } of endings) keep.run(seq, state, atMs, toldSeq);
          return;
        }
        tell(row, ending, endings, transaction);
        ending.toldSeq = row["seq"] as number;
      }
    }
  }

  function tell(
    row: Row,
    { seq, state, atMs }: Ending,
    endings: Ending[],
    transaction: Transaction,
  ): void {
    const dependent = row["seq"] as number;
    if (!meets(row["condition"] as AfterCondition, state)) {
      const error = unmetError(row["on_id"] as string, state);
      cancelOne(dependent, { error, atMs, endings }, transaction);
      return;
    }
    meet.run(dependent, seq);
    if (isHeld.get(dependent) !== undefined) return;
    const dueAtMs = Math.max(atMs, row["run_at"] as number);
    if (letGo.run(dueAtMs, atMs, dueAtMs, dependent) > 0) transaction.wake();
  }

  function cancelOne(
    seq: number,
    { error, atMs, endings }: { error: AttemptError; atMs: number; endings: Ending[] },
    transaction: Transaction,
  ): void {
    const from = stateOf.get(seq)?.["state"] as CountedState | undefined;
    const row = cancel.get(errorToText(error), atMs, atMs, seq);
    if (row === undefined || from === undefined) return;
    const queue = row["queue"] as string;
    transaction.count(queue, from, -1);
    transaction.count(queue, "cancelled", 1);
    transaction.tally("cancelled", 1, atMs);
    transaction.journal.job("job.cancelled", seq);
    const job = { seq, traits: row["traits"] as number };
    end(job, "cancelled", { atMs, endings }, transaction);
  }

  return {
    onEnd,
    cancelWaiting(seq, error, nowMs, transaction) {
      const endings: Ending[] = [];
      cancelOne(seq, { error, atMs: nowMs, endings }, transaction);
      tellAll(endings, transaction);
    },
    onRemoval(job, nowMs, transaction) {
      onEnd(job, "deleted", nowMs, transaction);
    },
    resume(transaction) {
      const rows = selectEndings.all(PAGE);
      if (rows.length === 0) return;
      for (const row of rows) forget.run(row["seq"]!);
      const endings = rows.map((row) => ({
        seq: row["seq"] as number,
        state: row["state"] as ToldEnd,
        atMs: row["at"] as number,
        toldSeq: row["told_seq"] as number,
      }));
      tellAll(endings, transaction);
      if (rows.length === PAGE) transaction.continueLater();
    },
  };
}
