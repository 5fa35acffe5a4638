/**
 * What the end of one job means to others, written in the transaction that ends it: see the file of
 * SQLite's. Where other jobs wait for it, transactions go one after the other, or two that end the last
 * two jobs that one waits for would each leave it to the other to let it go.
 */
import { type AfterCondition, type AttemptError, HELD_MS } from "../../job/job.ts";
import { fromStates, targetState } from "../guard.ts";
import { type EndingJob, meets, type ToldEnd, unmetError } from "../shared/endings.ts";
import { errorToText } from "../shared/rows.ts";
import { MATTERS_AT_END, TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Row } from "./connection.ts";
import { recordDelivery } from "./delivery_record.ts";
import { renewedAge } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

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

/** The job has just entered the state. */
export async function onEnd(
  job: EndingJob,
  state: ToldEnd,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  if ((job.traits & MATTERS_AT_END) === 0) return;
  if (job.traits & TRAITS.AWAITED) await transaction.exclusively();
  const endings: Ending[] = [];
  await end(job, state, { atMs: nowMs, endings }, transaction);
  await tellAll(endings, transaction);
}

/** Cancels a job that cannot run any more, because of what others did. */
export async function cancelWaiting(
  seq: number,
  error: AttemptError,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  const endings: Ending[] = [];
  await cancelOne(seq, { error, atMs: nowMs, endings }, transaction);
  await tellAll(endings, transaction);
}

/** Goes on where former transactions have stopped. */
export async function resumeEnds(transaction: Transaction): Promise<void> {
  const isAny = await transaction.get("SELECT 1 AS is_any FROM endings LIMIT 1");
  if (isAny === undefined) return;
  await transaction.exclusively();
  const rows = await transaction.all(
    "DELETE FROM endings WHERE seq IN (SELECT seq FROM endings LIMIT $1) " +
      "RETURNING seq, state, at, told_seq",
    PAGE,
  );
  const endings = rows.map((row) => ({
    seq: row["seq"] as number,
    state: row["state"] as ToldEnd,
    atMs: row["at"] as number,
    toldSeq: row["told_seq"] as number,
  }));
  await tellAll(endings, transaction);
  if (rows.length === PAGE) transaction.continueLater();
}

/** What the end means, but for those who wait for it: they are told later. */
async function end(
  { seq, traits }: EndingJob,
  state: ToldEnd,
  { atMs, endings }: { atMs: number; endings: Ending[] },
  transaction: Transaction,
): Promise<void> {
  if (traits & TRAITS.UNIQUE) {
    transaction.send("DELETE FROM unique_keys WHERE seq = $1", seq);
  }
  if (traits & TRAITS.CALLBACK) {
    await recordDelivery(seq, state === "deleted" ? "cancelled" : state, atMs, transaction);
  }
  if (traits & TRAITS.AWAITED) endings.push({ seq, state, atMs, toldSeq: 0 });
}

/** A loop, not a recursion: chains may be longer than the stack is deep. */
async function tellAll(endings: Ending[], transaction: Transaction): Promise<void> {
  while (endings.length > 0) {
    const ending = endings.at(-1)!;
    const rows = await transaction.all(
      "SELECT seq, on_id, condition, run_at FROM dependencies " +
        "WHERE on_seq = $1 AND is_met = 0 AND seq > $2 ORDER BY seq LIMIT $3",
      ending.seq,
      ending.toldSeq,
      PAGE,
    );
    if (rows.length < PAGE) endings.pop();
    for (const row of rows) {
      if (!transaction.takeStep()) {
        if (!endings.includes(ending)) endings.push(ending);
        await keep(endings, transaction);
        return;
      }
      await tell(row, ending, endings, transaction);
      ending.toldSeq = row["seq"] as number;
    }
  }
}

async function keep(endings: readonly Ending[], transaction: Transaction): Promise<void> {
  for (const { seq, state, atMs, toldSeq } of endings) {
    await transaction.run(
      "INSERT INTO endings (seq, state, at, told_seq) VALUES ($1, $2, $3, $4) " +
        "ON CONFLICT DO NOTHING",
      ...[seq, state, atMs, toldSeq],
    );
  }
}

const LET_GO = "UPDATE jobs SET run_at = $1, updated_at = $2, " +
  `options = ${renewedAge("$1")} WHERE seq = $3 AND run_at = ${HELD_MS} AND ` +
  fromStates("claim", "state");

async function tell(
  row: Row,
  { seq, state, atMs }: Ending,
  endings: Ending[],
  transaction: Transaction,
): Promise<void> {
  const dependent = row["seq"] as number;
  if (!meets(row["condition"] as AfterCondition, state)) {
    const error = unmetError(row["on_id"] as string, state);
    await cancelOne(dependent, { error, atMs, endings }, transaction);
    return;
  }
  transaction.send(
    "UPDATE dependencies SET is_met = 1 WHERE seq = $1 AND on_seq = $2",
    dependent,
    seq,
  );
  const held = await transaction.get(
    "SELECT 1 AS is_held FROM dependencies WHERE seq = $1 AND is_met = 0 LIMIT 1",
    dependent,
  );
  if (held !== undefined) return;
  const dueAtMs = Math.max(atMs, row["run_at"] as number);
  if (await transaction.run(LET_GO, dueAtMs, atMs, dependent) > 0) transaction.wake();
}

const CANCEL = `UPDATE jobs SET state = ${targetState("cancel")}, last_error = $1, ` +
  `updated_at = $2, finished_at = $2 WHERE seq = $3 AND ${fromStates("cancel", "state")} ` +
  "RETURNING queue, traits";

async function cancelOne(
  seq: number,
  { error, atMs, endings }: { error: AttemptError; atMs: number; endings: Ending[] },
  transaction: Transaction,
): Promise<void> {
  const before = await transaction.get("SELECT state FROM jobs WHERE seq = $1 FOR UPDATE", seq);
  const row = await transaction.get(CANCEL, errorToText(error), atMs, seq);
  if (row === undefined || before === undefined) return;
  const queue = row["queue"] as string;
  transaction.count(queue, before["state"] as CountedState, -1);
  transaction.count(queue, "cancelled", 1);
  transaction.tally("cancelled", 1, atMs);
  await transaction.journal.jobs("job.cancelled", [seq], transaction);
  const job = { seq, traits: row["traits"] as number };
  await end(job, "cancelled", { atMs, endings }, transaction);
}
