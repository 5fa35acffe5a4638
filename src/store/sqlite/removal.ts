/**
 * Deleting jobs with everything that is known of them. Owns the list of tables that speak of a job;
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

export type Remove = (jobs: readonly RemovedJob[], transaction: Transaction) => void;

const of = (table: string, more = "") =>
  `DELETE FROM ${table} WHERE seq IN (SELECT value FROM json_each(?))${more}`;

export function prepareRemoval(connection: Connection, files: Files): Remove {
  const removals = ["jobs", "payloads", "attempts", "output", "progress"]
    .map((table) => connection.prepare(of(table)));
  const specialRemovals = [
    of("dependencies"),
    // What is still to be told is told, though the job is gone.
    of("deliveries", " AND state <> 'waiting'"),
  ].map((sql) => connection.prepare(sql));

  return (jobs, transaction) => {
    for (const { seq } of jobs) transaction.journal.job("job.deleted", seq);
    const seqs = JSON.stringify(jobs.map(({ seq }) => seq));
    for (const removal of removals) removal.run(seqs);
    const special = jobs.filter(({ traits }) => traits !== 0).map(({ seq }) => seq);
    if (special.length > 0) {
      for (const removal of specialRemovals) removal.run(JSON.stringify(special));
    }
    for (const { seq, traits } of jobs) if (traits & TRAITS.FILES) files.release(seq);
    for (const { queue, state } of jobs) transaction.count(queue, state, -1);
  };
}
