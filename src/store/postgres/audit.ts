/** The audit log: written in the transaction of the change that it tells of, and bounded. */
import { auditFromRow } from "../shared/audit_row.ts";
import { AUDIT_KEPT, type AuditEntry, type AuditQuery, type Change } from "../store.ts";
import type { AuditAction, AuditOutcome, Signature } from "../store.ts";
import type { Sql } from "./connection.ts";

interface Entry {
  readonly action: AuditAction;
  readonly target: string;
  readonly outcome?: AuditOutcome;
  readonly detail?: string;
}

/** Changes that nobody signed are not anybody's: nothing is written. */
export async function record(
  { action, target, outcome = "done", detail }: Entry,
  signed: Signature | undefined,
  sql: Sql,
): Promise<void> {
  if (signed === undefined) return;
  await sql.run(
    "INSERT INTO audit (at, actor, action, target, outcome, detail) " +
      "VALUES ($1, $2, $3, $4, $5, $6)",
    ...[signed.atMs, signed.by, action, target, outcome, detail ?? null],
  );
  await sql.run("DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - $1", AUDIT_KEPT);
}

/** Records what became of a change to a job; one to a job that does not exist changed none. */
export async function recordChange(
  action: AuditAction,
  target: string,
  { change, signed }: { change: Change; signed: Signature | undefined },
  sql: Sql,
): Promise<Change> {
  if (change.result === "missing") return change;
  const outcome = change.result === "changed" ? "done" : change.result;
  const detail = outcome === "refused" ? `the job is ${change.job.state}` : undefined;
  await record({ action, target, outcome, detail }, signed, sql);
  return change;
}

/** Records a change to many jobs, if there were any. */
export async function recordBulk(
  action: AuditAction,
  jobs: number,
  signed: Signature | undefined,
  sql: Sql,
): Promise<number> {
  if (jobs > 0) await record({ action, target: `${jobs} dead jobs` }, signed, sql);
  return jobs;
}

export async function readAudit(
  { limit, beforeSeq }: AuditQuery,
  sql: Sql,
): Promise<AuditEntry[]> {
  const rows = await sql.all(
    "SELECT * FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
    beforeSeq ?? Number.MAX_SAFE_INTEGER,
    limit,
  );
  return rows.map(auditFromRow);
}
