/**
 * Writes for attempts: begin, renew, output and their end. Each is conditional on the lease: same
 * holder, same token, still leased. Whoever comes late changes nothing.
 */
import { HAPPENING_OF, hasAttempt, TALLY_OF } from "../shared/attempt_ends.ts";
import type { Lease, NewJob, OutputChunk } from "../../job/job.ts";
import type { Outcome } from "../../job/outcome.ts";
import type { JobEvent } from "../../job/state.ts";
import { TRANSITIONS } from "../../job/state.ts";
import { fromStates, targetState } from "../guard.ts";
import type { EndedAttempt, Settled, Settlement } from "../store.ts";
import type { Add } from "./add.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, Row } from "./connection.ts";
import type { Ends } from "./ends.ts";
import type { Files } from "./files.ts";
import { errorToText } from "../shared/rows.ts";
import { TRAITS } from "../shared/traits.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Transaction } from "./transaction_counts.ts";

/** The leases that are written for; each job is then found by its integer key. */
const ended = (rows: string) => `WITH ended (seq, token, result) AS (VALUES ${rows})`;

/** The fencing: nothing below writes without it. */
const HOLDS_LEASE = "jobs.seq = ended.seq AND +jobs.lease_token = ended.token " +
  "AND +jobs.lease_holder = ?";

export function prepareSettle(
  connection: Connection,
  { ends, files, addMissing }: { ends: Ends; files: Files; addMissing: Add["addMissing"] },
) {
  const begin = new BulkStatement(
    connection,
    3,
    (rows) =>
      `${ended(rows)} UPDATE jobs SET state = ${targetState("begin")}, updated_at = ? FROM ended ` +
      `WHERE ${HOLDS_LEASE} AND ${fromStates("begin")} RETURNING jobs.seq`,
  );
  const renew = new BulkStatement(
    connection,
    3,
    (rows) =>
      `${ended(rows)} UPDATE jobs SET lease_expires_at = ? FROM ended ` +
      `WHERE ${HOLDS_LEASE} AND ${fromStates("complete")} RETURNING jobs.seq, jobs.lease_token`,
  );
  const complete = new BulkStatement(
    connection,
    3,
    (rows) =>
      `${ended(rows)} UPDATE jobs SET state = ${targetState("complete")}, ` +
      "result = ended.result, last_error = NULL, updated_at = ?, finished_at = ? FROM ended " +
      `WHERE ${HOLDS_LEASE} AND ${fromStates("complete")} ` +
      "RETURNING jobs.seq, jobs.lease_token, jobs.queue, jobs.traits",
  );
  const endOne = (event: JobEvent, assignments: string) =>
    connection.prepare(
      `UPDATE jobs SET state = ${targetState(event)}, updated_at = ?, ${assignments} ` +
        `WHERE seq = ? AND +lease_token = ? AND +lease_holder = ? AND ${fromStates(event)} ` +
        "RETURNING queue, attempts, lease_worker, started_at, traits",
    );
  const fail = endOne("fail", "attempts = attempts + 1, last_error = ?, run_at = ?");
  const bury = endOne("bury", "attempts = attempts + 1, last_error = ?, finished_at = ?");
  const release = endOne("release", "started_at = NULL");
  const snooze = endOne("snooze", "started_at = NULL, run_at = ?");
  const abort = endOne("abort", "finished_at = ?, last_error = coalesce(?, last_error)");
  const insertAttempt = connection.prepare(
    "INSERT INTO attempts (seq, token, attempt, worker, started_at, finished_at, outcome, error, " +
      "exit_code, signal, stdout_bytes, stderr_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const insertOutput = connection.prepare(
    "INSERT INTO output (seq, token, stream, bytes) VALUES (?, ?, ?, ?)",
  );
  const isCancelRequested = connection.prepare(
    "SELECT 1 FROM jobs WHERE seq = ? AND cancel_requested_at IS NOT NULL",
  );
  const selectHeld = connection.prepare(
    "SELECT 1 FROM jobs WHERE seq = ? AND +lease_token = ? AND +lease_holder = ? " +
      `AND ${fromStates("complete")}`,
  );

  const markFiles = connection.prepare(
    `UPDATE jobs SET traits = traits | ${TRAITS.FILES} WHERE seq = ?`,
  );

  function keepArtifacts(
    { seq, token }: Lease,
    artifacts: NonNullable<EndedAttempt["artifacts"]>,
    nowMs: number,
  ): void {
    files.attachArtifacts({ seq, token }, artifacts, nowMs);
    if (artifacts.kept.length + artifacts.dropped.length > 0) markFiles.run(seq);
  }

  function keepOutput({ seq, token }: Lease, chunks: readonly OutputChunk[]): void {
    for (const { stream, bytes } of chunks) insertOutput.run(seq, token, stream, bytes);
  }

  /** The many that succeed go in one statement. */
  function settleCompleted(
    ended: readonly EndedAttempt[],
    holder: string,
    nowMs: number,
    transaction: Transaction,
  ): Leases {
    const rows = complete.all(
      ended.map(({ seq, token, outcome }) => [
        seq,
        token,
        outcome.event === "complete" ? outcome.result : null,
      ]),
      { after: [nowMs, nowMs, holder] },
    );
    for (const row of rows) {
      transaction.count(row["queue"] as string, "leased", -1);
      transaction.count(row["queue"] as string, "completed", 1);
      if (transaction.journal.isFollowed) {
        transaction.journal.job("job.completed", row["seq"] as number);
      }
      if (row["traits"] !== 0) {
        const job = { seq: row["seq"] as number, traits: row["traits"] as number };
        ends.onEnd(job, "completed", nowMs, transaction);
      }
    }
    if (rows.length > 0) transaction.tally("completed", rows.length, nowMs);
    return leasesOf(rows);
  }

  function settleOther(
    attempt: EndedAttempt,
    holder: string,
    nowMs: number,
    transaction: Transaction,
  ): boolean {
    const { seq, token } = attempt;
    // Somebody asked to stop the job while it ran: then it must not run again, not even from the
    // dead-letter queue.
    const isUnwanted = isCancelRequested.get(seq) !== undefined;
    const exit = "exit" in attempt.outcome ? attempt.outcome.exit : undefined;
    const isGivenUp = attempt.outcome.event === "abort";
    const outcome: Outcome = isUnwanted && !isGivenUp ? { event: "abort", exit } : attempt.outcome;
    const row = (() => {
      switch (outcome.event) {
        case "fail":
          return fail.get(nowMs, errorToText(outcome.error), outcome.dueAtMs, seq, token, holder);
        case "bury":
          return bury.get(nowMs, errorToText(outcome.error), nowMs, seq, token, holder);
        case "release":
          return release.get(nowMs, seq, token, holder);
        case "snooze":
          return snooze.get(nowMs, outcome.dueAtMs, seq, token, holder);
        case "abort": {
          const error = outcome.error === undefined ? null : errorToText(outcome.error);
          return abort.get(nowMs, nowMs, error, seq, token, holder);
        }
        case "complete":
          return undefined; // settled with the others
      }
    })();
    if (row === undefined) return false;
    const queue = row["queue"] as string;
    transaction.count(queue, "leased", -1);
    transaction.count(queue, TRANSITIONS[outcome.event].to as CountedState, 1);
    for (const what of TALLY_OF[outcome.event] ?? []) transaction.tally(what, 1, nowMs);
    const happening = HAPPENING_OF[outcome.event];
    if (happening !== undefined) transaction.journal.job(happening, seq);
    if (outcome.event === "bury" || outcome.event === "abort") {
      const job = { seq, traits: row["traits"] as number };
      ends.onEnd(job, TRANSITIONS[outcome.event].to, nowMs, transaction);
    }
    if (!hasAttempt(outcome)) return true;
    const isFailure = outcome.event !== "abort";
    const error = outcome.error ??
      { code: "cancelled", message: "cancelled while it ran" } as const;
    insertAttempt.run(
      seq,
      token,
      (row["attempts"] as number) + (isFailure ? 0 : 1),
      row["lease_worker"]!,
      row["started_at"]!,
      nowMs,
      isFailure ? "failed" : "cancelled",
      errorToText(error),
      outcome.exit?.exitCode ?? null,
      outcome.exit?.signal ?? null,
      outcome.exit?.stdoutBytes ?? null,
      outcome.exit?.stderrBytes ?? null,
    );
    return true;
  }

  return {
    begin(
      leases: readonly Lease[],
      { holder, nowMs }: { holder: string; nowMs: number },
      { journal }: Transaction,
    ): void {
      const begun = begin.all(rowsOf(leases), { after: [nowMs, holder] });
      for (const row of begun) journal.job("job.processing", row["seq"] as number);
    },

    renew(
      leases: readonly Lease[],
      holder: string,
      expiresAtMs: number,
    ): Settled[] {
      const renewed = leasesOf(renew.all(rowsOf(leases), { after: [expiresAtMs, holder] }));
      return leases.map((lease) => holds(renewed, lease) ? "settled" : "lease-lost");
    },

    appendOutput(lease: Lease, holder: string, chunks: readonly OutputChunk[]): Settled {
      if (selectHeld.get(lease.seq, lease.token, holder) === undefined) return "lease-lost";
      keepOutput(lease, chunks);
      return "settled";
    },

    settle(
      ended: readonly EndedAttempt[],
      holder: string,
      nowMs: number,
      transaction: Transaction,
    ): Settlement {
      const added: NewJob[] = [];
      const succeeded = ended.filter(({ outcome }) => outcome.event === "complete");
      const completed = succeeded.length > 0
        ? settleCompleted(succeeded, holder, nowMs, transaction)
        : new Map();
      const answers = ended.map((attempt): Settled => {
        const isSettled = attempt.outcome.event === "complete"
          ? holds(completed, attempt)
          : settleOther(attempt, holder, nowMs, transaction);
        if (isSettled && attempt.output !== undefined) keepOutput(attempt, attempt.output);
        if (isSettled && attempt.artifacts !== undefined) {
          keepArtifacts(attempt, attempt.artifacts, nowMs);
        }
        if (isSettled && attempt.outcome.event === "complete" && attempt.outcome.followUps) {
          added.push(...addMissing(attempt.outcome.followUps, nowMs, transaction));
        }
        return isSettled ? "settled" : "lease-lost";
      });
      return { answers, added };
    },

    insertAttempt,
  };
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

function rowsOf(leases: readonly Lease[]): (number | null)[][] {
  return leases.map(({ seq, token }) => [seq, token, null]);
}
