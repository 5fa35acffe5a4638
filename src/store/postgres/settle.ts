/**
 * Writes for attempts: begin, renew, output and their end. Each is conditional on the lease: same
 * holder, same token, still leased. Whoever comes late changes nothing.
 */
import type { Lease, NewJob, OutputChunk } from "../../job/job.ts";
import type { Outcome } from "../../job/outcome.ts";
import { type JobEvent, TRANSITIONS } from "../../job/state.ts";
import { fromStates, targetState } from "../guard.ts";
import { HAPPENING_OF, hasAttempt, TALLY_OF } from "../shared/attempt_ends.ts";
import { MATTERS_AT_END, TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { EndedAttempt, Settled, Settlement } from "../store.ts";
import type { Adding } from "./add.ts";
import type { Row, Sql } from "./connection.ts";
import { onEnd } from "./ends.ts";
import { attachArtifacts } from "./files.ts";
import { errorToText } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

const ENDED = "unnest($1::bigint[], $2::bigint[]) AS ended (seq, token)";

/** The fencing: nothing below writes without it. */
const HOLDS_LEASE = "jobs.seq = ended.seq AND jobs.lease_token = ended.token " +
  "AND jobs.lease_holder = $3";

/** Concatenated, so that no plan goes through jobs_leased, and all that runs, for each of the many. */
const from = (event: JobEvent) => fromStates(event, "(jobs.state || '')");

const BEGIN = `UPDATE jobs SET state = ${targetState("begin")}, updated_at = $4 FROM ${ENDED} ` +
  `WHERE ${HOLDS_LEASE} AND ${from("begin")} RETURNING jobs.seq`;

const RENEW = `UPDATE jobs SET lease_expires_at = $4 FROM ${ENDED} ` +
  `WHERE ${HOLDS_LEASE} AND ${from("complete")} RETURNING jobs.seq, jobs.lease_token`;

const COMPLETING = `UPDATE jobs SET state = ${targetState("complete")}, result = ended.result, ` +
  "last_error = NULL, updated_at = $4, finished_at = $4 " +
  "FROM unnest($1::bigint[], $2::bigint[], $5::text[]) AS ended (seq, token, result) " +
  `WHERE ${HOLDS_LEASE} AND ${from("complete")}`;

// Answers with a row for each sort of job, not for each job.
const COMPLETE = `WITH settled AS (${COMPLETING} ` +
  "RETURNING jobs.seq, jobs.lease_token, jobs.queue, jobs.traits) " +
  "SELECT queue, traits, array_agg(seq) AS seqs, array_agg(lease_token) AS tokens FROM settled " +
  "GROUP BY queue, traits";

// Counts them, too. Fails unless all are still leased, and their ends concern nobody else.
const COMPLETE_ALL = `WITH settled AS (${COMPLETING} ` +
  `AND (jobs.traits & ${MATTERS_AT_END}) = 0 RETURNING jobs.queue), ` +
  "counted AS (INSERT INTO counts (queue, state, jobs) SELECT queue, state, jobs * sign " +
  "FROM (SELECT queue, count(*) AS jobs FROM settled GROUP BY queue) AS ended " +
  "CROSS JOIN (VALUES ('leased', -1), ('completed', 1)) AS change (state, sign)) " +
  "SELECT 1 / (CASE WHEN count(*) = cardinality($1::bigint[]) THEN 1 ELSE 0 END) AS are_all " +
  "FROM settled";

const HELD = "SELECT cancel_requested_at FROM jobs WHERE seq = $1 AND lease_token = $2 " +
  `AND lease_holder = $3 AND ${from("complete")}`;

const INSERT_ATTEMPT =
  "INSERT INTO attempts (seq, token, attempt, worker, started_at, finished_at, outcome, error, " +
  "exit_code, signal, stdout_bytes, stderr_bytes) " +
  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

export async function begin(
  leases: readonly Lease[],
  { holder, nowMs }: { holder: string; nowMs: number },
  transaction: Transaction,
): Promise<void> {
  const begun = await transaction.all(BEGIN, ...columnsOf(leases), holder, nowMs);
  const seqs = begun.map((row) => row["seq"] as number);
  await transaction.journal.jobs("job.processing", seqs, transaction);
}

export async function renew(
  leases: readonly Lease[],
  holder: string,
  expiresAtMs: number,
  sql: Sql,
): Promise<Settled[]> {
  const renewed = leasesOf(await sql.all(RENEW, ...columnsOf(leases), holder, expiresAtMs));
  return leases.map((lease) => holds(renewed, lease) ? "settled" : "lease-lost");
}

export async function appendOutput(
  lease: Lease,
  holder: string,
  chunks: readonly OutputChunk[],
  sql: Sql,
): Promise<Settled> {
  // Locked, so that it is not taken back between the look and the write.
  const held = await sql.get(`${HELD} FOR UPDATE`, lease.seq, lease.token, holder);
  if (held === undefined) return "lease-lost";
  await keepOutput(lease, chunks, sql);
  return "settled";
}

export async function settle(
  ended: readonly EndedAttempt[],
  { holder, nowMs, adding }: { holder: string; nowMs: number; adding: Adding },
  transaction: Transaction,
): Promise<Settlement> {
  if (ended.length === 0) return { answers: [], added: [] };
  if (transaction.mayAssume && ended.every(isPlainSuccess)) {
    assumeCompleted(ended, { holder, nowMs }, transaction);
    return { answers: ended.map(() => "settled"), added: [] };
  }
  const succeeded = ended.filter(({ outcome }) => outcome.event === "complete");
  const completed = succeeded.length > 0
    ? await settleCompleted(succeeded, { holder, nowMs }, transaction)
    : new Map();
  const answers: Settled[] = [];
  const added: NewJob[] = [];
  for (const attempt of ended) {
    const { outcome, output, artifacts } = attempt;
    const isSettled = outcome.event === "complete"
      ? holds(completed, attempt)
      : await settleOther(attempt, { holder, nowMs }, transaction);
    if (isSettled) {
      if (output !== undefined) await keepOutput(attempt, output, transaction);
      if (artifacts !== undefined) await keepArtifacts(attempt, artifacts, nowMs, transaction);
      if (outcome.event === "complete" && outcome.followUps) {
        added.push(...await adding.addMissing(outcome.followUps, nowMs, transaction));
      }
    }
    answers.push(isSettled ? "settled" : "lease-lost");
  }
  return { answers, added };
}

function isPlainSuccess({ outcome, output, artifacts }: EndedAttempt): boolean {
  return outcome.event === "complete" && outcome.followUps === undefined &&
    output === undefined && artifacts === undefined;
}

/** Nearly always everything is as it was left: then the commit goes along, and nothing is waited for. */
function assumeCompleted(
  ended: readonly EndedAttempt[],
  { holder, nowMs }: { holder: string; nowMs: number },
  transaction: Transaction,
): void {
  transaction.send(COMPLETE_ALL, ...columnsOf(ended), holder, nowMs, resultsOf(ended));
  transaction.tally("completed", ended.length, nowMs);
  transaction.added(2);
  transaction.journal.leaveOut();
}

/** The many that succeed go in one statement. */
async function settleCompleted(
  ended: readonly EndedAttempt[],
  { holder, nowMs }: { holder: string; nowMs: number },
  transaction: Transaction,
): Promise<Leases> {
  const values = [...columnsOf(ended), holder, nowMs, resultsOf(ended)];
  const rows = await transaction.all(COMPLETE, ...values);
  const leases = new Map<number, number>();
  for (const row of rows) {
    const [seqs, tokens] = [row["seqs"] as number[], row["tokens"] as number[]];
    for (const [index, seq] of seqs.entries()) leases.set(seq, tokens[index]!);
    transaction.count(row["queue"] as string, "leased", -seqs.length);
    transaction.count(row["queue"] as string, "completed", seqs.length);
  }
  if (leases.size === 0) return leases;
  transaction.tally("completed", leases.size, nowMs);
  const inOrder = new Set(ended.filter((one) => holds(leases, one)).map(({ seq }) => seq));
  await transaction.journal.jobs("job.completed", [...inOrder], transaction);
  for (const row of rows) {
    const traits = row["traits"] as number;
    if (traits === 0) continue;
    for (const seq of row["seqs"] as number[]) {
      await onEnd({ seq, traits }, "completed", nowMs, transaction);
    }
  }
  return leases;
}

const endOne = (event: JobEvent, assignments: string) =>
  `UPDATE jobs SET state = ${targetState(event)}, updated_at = $4, ${assignments} ` +
  `WHERE seq = $1 AND lease_token = $2 AND lease_holder = $3 AND ${from(event)} ` +
  "RETURNING queue, attempts, lease_worker, started_at, traits";

const FAIL = endOne("fail", "attempts = attempts + 1, last_error = $5, run_at = $6");
const BURY = endOne("bury", "attempts = attempts + 1, last_error = $5, finished_at = $4");
const RELEASE = endOne("release", "started_at = NULL");
const SNOOZE = endOne("snooze", "started_at = NULL, run_at = $5");
const ABORT = endOne("abort", "finished_at = $4, last_error = coalesce($5, last_error)");

async function settleOther(
  attempt: EndedAttempt,
  { holder, nowMs }: { holder: string; nowMs: number },
  transaction: Transaction,
): Promise<boolean> {
  const { seq, token } = attempt;
  // Locked, so that nobody asks to stop it between the look and the write.
  const held = await transaction.get(`${HELD} FOR UPDATE`, seq, token, holder);
  if (held === undefined) return false;
  // Somebody asked to stop the job while it ran: then it must not run again, not even from the
  // dead-letter queue.
  const isUnwanted = held["cancel_requested_at"] !== null;
  const exit = "exit" in attempt.outcome ? attempt.outcome.exit : undefined;
  const isGivenUp = attempt.outcome.event === "abort";
  const outcome: Outcome = isUnwanted && !isGivenUp ? { event: "abort", exit } : attempt.outcome;
  const row = await endAs(outcome, [seq, token, holder, nowMs], transaction);
  if (row === undefined) return false;
  const queue = row["queue"] as string;
  transaction.count(queue, "leased", -1);
  transaction.count(queue, TRANSITIONS[outcome.event].to as CountedState, 1);
  for (const what of TALLY_OF[outcome.event] ?? []) transaction.tally(what, 1, nowMs);
  const happening = HAPPENING_OF[outcome.event];
  if (happening !== undefined) await transaction.journal.jobs(happening, [seq], transaction);
  if (outcome.event === "bury" || outcome.event === "abort") {
    const job = { seq, traits: row["traits"] as number };
    await onEnd(job, TRANSITIONS[outcome.event].to, nowMs, transaction);
  }
  if (!hasAttempt(outcome)) return true;
  const isFailure = outcome.event !== "abort";
  await insertAttempt({
    ...{ seq, token },
    attempt: (row["attempts"] as number) + (isFailure ? 0 : 1),
    worker: row["lease_worker"] as string | null,
    startedAtMs: row["started_at"] as number | null,
    finishedAtMs: nowMs,
    outcome: isFailure ? "failed" : "cancelled",
    error: errorToText(
      outcome.error ?? { code: "cancelled", message: "cancelled while it ran" },
    ),
    exit: outcome.exit,
  }, transaction);
  return true;
}

async function endAs(
  outcome: Outcome,
  lease: [seq: number, token: number, holder: string, nowMs: number],
  sql: Sql,
): Promise<Row | undefined> {
  switch (outcome.event) {
    case "fail":
      return await sql.get(FAIL, ...lease, errorToText(outcome.error), outcome.dueAtMs);
    case "bury":
      return await sql.get(BURY, ...lease, errorToText(outcome.error));
    case "release":
      return await sql.get(RELEASE, ...lease);
    case "snooze":
      return await sql.get(SNOOZE, ...lease, outcome.dueAtMs);
    case "abort": {
      const error = outcome.error === undefined ? null : errorToText(outcome.error);
      return await sql.get(ABORT, ...lease, error);
    }
    case "complete":
      return undefined; // settled with the others
  }
}

export interface EndedRecord extends Lease {
  readonly attempt: number;
  readonly worker: string | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number;
  readonly outcome: "failed" | "cancelled";
  readonly error: string;
  readonly exit?: Extract<Outcome, { exit?: unknown }>["exit"];
}

/** Keeps what became of an attempt that did not succeed. */
export async function insertAttempt(record: EndedRecord, sql: Sql): Promise<void> {
  const { seq, token, attempt, worker, startedAtMs, finishedAtMs, outcome, error, exit } = record;
  await sql.run(
    INSERT_ATTEMPT,
    ...[seq, token, attempt, worker, startedAtMs, finishedAtMs, outcome, error],
    exit?.exitCode ?? null,
    exit?.signal ?? null,
    exit?.stdoutBytes ?? null,
    exit?.stderrBytes ?? null,
  );
}

async function keepArtifacts(
  { seq, token }: Lease,
  artifacts: NonNullable<EndedAttempt["artifacts"]>,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  await attachArtifacts({ seq, token }, artifacts, nowMs, transaction);
  if (artifacts.kept.length + artifacts.dropped.length === 0) return;
  await transaction.run(`UPDATE jobs SET traits = traits | ${TRAITS.FILES} WHERE seq = $1`, seq);
}

async function keepOutput(
  { seq, token }: Lease,
  chunks: readonly OutputChunk[],
  sql: Sql,
): Promise<void> {
  for (const { stream, bytes } of chunks) {
    await sql.run(
      "INSERT INTO output (seq, token, stream, bytes) VALUES ($1, $2, $3, $4)",
      ...[seq, token, stream, bytes],
    );
  }
}

/** Current leases: the token by the job's number. */
type Leases = ReadonlyMap<number, number>;

function leasesOf(rows: readonly Row[]): Leases {
  return new Map(rows.map((row) => [row["seq"] as number, row["lease_token"] as number]));
}

/** By token, not by job alone: a process may still hold an old lease of a job beside the new one. */
function holds(leases: Leases, { seq, token }: Lease): boolean {
  return leases.get(seq) === token;
}

function resultsOf(ended: readonly EndedAttempt[]): (string | null)[] {
  return ended.map(({ outcome }) => outcome.event === "complete" ? outcome.result : null);
}

function columnsOf(leases: readonly Lease[]): [number[], number[]] {
  return [leases.map(({ seq }) => seq), leases.map(({ token }) => token)];
}
