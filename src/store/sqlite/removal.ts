/**
 * Deleting a job with everything that is known of it. Owns the list of tables that speak of a job;
 * does not decide which jobs go.
 *
 * Invariant: what it does for one job is small. Files, which may be large, are only given up here;
 * `files.ts` sweeps their bytes piece by piece.
 */
import type { RemovedJob } from "../shared/operations.ts";
import type { Connection } from "./connection.ts";
import type { Files } from "./files.ts";
import { TRAITS } from "../shared/traits.ts";
import type { Transaction } from "./transaction_counts.ts";

export type Remove = (job: RemovedJob, transaction: Transaction) => void;

export function prepareRemoval(connection: Connection, files: Files): Remove {
  const removals = [
    "DELETE FROM jobs WHERE seq = ?",
    "DELETE FROM payloads WHERE seq = ?",
    "DELETE FROM attempts WHERE seq = ?",
    "DELETE FROM output WHERE seq = ?",
    "DELETE FROM progress WHERE seq = ?",
  ].map((sql) => connection.prepare(sql));
  const specialRemovals = [
    "DELETE FROM dependencies WHERE seq = ?",
    // What is still to be told is told, though the job is gone.
    "DELETE FROM deliveries WHERE seq = ? AND state <> 'waiting'",
  ].map((sql) => connection.prepare(sql));

  return ({ seq, queue, state, traits }, transaction) => {
    transaction.journal.job("job.deleted", seq);
    for (const removal of removals) removal.run(seq);
    if (traits !== 0) { for (const removal of specialRemovals) removal.run(seq); }
    if (traits & TRAITS.FILES) files.release(seq);
    transaction.count(queue, state, -1);
  };
}
