/**
 * Deleting jobs with everything that is known of them. Owns the list of tables that speak of a job;
 * does not decide which jobs go. Files, which may be large, are only given up here.
 */
import type { RemovedJob } from "../shared/operations.ts";
import { TRAITS } from "../shared/traits.ts";
import { releaseFiles } from "./files.ts";
import type { Transaction } from "./transaction.ts";

const of = (table: string, more = "") =>
  `DELETE FROM ${table} WHERE seq = ANY($1::bigint[])${more}`;

const REMOVALS = ["jobs", "attempts", "output", "progress"].map((table) => of(table));

/** What is still to be told is told, though the job is gone. */
const SPECIAL_REMOVALS = [of("dependencies"), of("deliveries", " AND state <> 'waiting'")];

export async function removeJobs(
  jobs: readonly RemovedJob[],
  transaction: Transaction,
): Promise<void> {
  if (jobs.length === 0) return;
  const seqs = jobs.map(({ seq }) => seq);
  await transaction.journal.jobs("job.deleted", seqs, transaction);
  for (const removal of REMOVALS) await transaction.run(removal, seqs);
  const special = jobs.filter(({ traits }) => traits !== 0).map(({ seq }) => seq);
  if (special.length > 0) {
    for (const removal of SPECIAL_REMOVALS) await transaction.run(removal, special);
  }
  const withFiles = jobs.filter(({ traits }) => traits & TRAITS.FILES).map(({ seq }) => seq);
  if (withFiles.length > 0) await releaseFiles(withFiles, transaction);
  for (const { queue, state } of jobs) transaction.count(queue, state, -1);
}
