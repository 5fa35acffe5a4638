/** The audit log: written in the transaction of the change that it tells of, and bounded. */
import { plural } from "../../lib/plural.ts";
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
  entry: Entry,
  signed: Signature | undefined,
  sql: Sql,
): Promise<void> {
  if (signed !== undefined) await recordAll([{ ...entry, signed }], sql);
}

async function recordAll(
  entries: readonly (Entry & { readonly signed: Signature })[],
  sql: Sql,
): Promise<void> {
  if (entries.length === 0) return;
  await sql.run(
    "INSERT INTO audit (at, actor, action, target, outcome, detail) " +
      "SELECT at, actor, action, target, outcome, detail FROM unnest($1::bigint[], $2::text[], " +
      "$3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY " +
      "AS entry (at, actor, action, target, outcome, detail, place) ORDER BY place",
    entries.map(({ signed }) => signed.atMs),
    entries.map(({ signed }) => signed.by),
    entries.map(({ action }) => action),
    entries.map(({ target }) => target),
    entries.map(({ outcome = "done" }) => outcome),
    entries.map(({ detail = null }) => detail),
  );
  await sql.run("DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - $1", AUDIT_KEPT);
}

/** Records what became of changes to jobs; one to a job that does not exist changed none. */
export async function recordChanges(
  action: AuditAction,
  wishes: readonly { readonly id: string; readonly signed: Signature | undefined }[],
  changes: readonly Change[],
  sql: Sql,
): Promise<void> {
  const entries = wishes.flatMap(({ id: target, signed }, index) => {
    const change = changes[index]!;
    if (signed === undefined || change.result === "missing") return [];
    const outcome: AuditOutcome = change.result === "changed" ? "done" : change.result;
    const detail = outcome === "refused" ? `the job is ${change.job.state}` : undefined;
    return [{ action, target, outcome, detail, signed }];
  });
  await recordAll(entries, sql);
}

/** Records a change to many jobs, if there were any. */
export async function recordBulk(
  action: AuditAction,
  jobs: number,
  signed: Signature | undefined,
  sql: Sql,
): Promise<number> {
  if (jobs > 0) await record({ action, target: plural(jobs, "dead job") }, signed, sql);
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
