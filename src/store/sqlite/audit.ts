/** The audit log: written in the transaction of the change that it tells of, and bounded. */
import { plural } from "../../lib/plural.ts";
import { auditFromRow } from "../shared/audit_row.ts";
import { AUDIT_KEPT, type AuditEntry, type AuditQuery, type Change } from "../store.ts";
import type { AuditAction, AuditOutcome, Signature } from "../store.ts";
import type { Connection } from "./connection.ts";

interface Entry {
  readonly action: AuditAction;
  readonly target: string;
  readonly outcome?: AuditOutcome;
  readonly detail?: string;
}

export function prepareAudit(connection: Connection) {
  const insert = connection.prepare(
    "INSERT INTO audit (at, actor, action, target, outcome, detail) VALUES (?, ?, ?, ?, ?, ?)",
  );
  // By the primary key; finds one row at most, once as many are there as are kept.
  const prune = connection.prepare(
    "DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?",
  );
  const select = connection.prepare("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?");

  /** Changes that nobody signed are not anybody's: nothing is written. */
  function record({ action, target, outcome = "done", detail }: Entry, signed?: Signature): void {
    if (signed === undefined) return;
    insert.run(signed.atMs, signed.by, action, target, outcome, detail ?? null);
    prune.run(AUDIT_KEPT);
  }

  return {
    record,

    /** Records what became of a change to a job; one to a job that does not exist changed none. */
    change(action: AuditAction, target: string, change: Change, signed?: Signature): Change {
      if (change.result === "missing") return change;
      const outcome = change.result === "changed" ? "done" : change.result;
      const detail = outcome === "refused" ? `the job is ${change.job.state}` : undefined;
      record({ action, target, outcome, detail }, signed);
      return change;
    },

    /** Records a change to many jobs, if there were any. */
    bulk(action: AuditAction, jobs: number, signed?: Signature): number {
      if (jobs > 0) record({ action, target: plural(jobs, "dead job") }, signed);
      return jobs;
    },

    read: ({ limit, beforeSeq }: AuditQuery): AuditEntry[] =>
      select.all(beforeSeq ?? Number.MAX_SAFE_INTEGER, limit).map(auditFromRow),
  };
}
