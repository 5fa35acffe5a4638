/** From rows of `audit` to what the seam speaks of. */
import type { AuditAction, AuditEntry, AuditOutcome } from "../store.ts";

export function auditFromRow(row: Readonly<Record<string, unknown>>): AuditEntry {
  return {
    seq: row["seq"] as number,
    atMs: row["at"] as number,
    by: row["actor"] as string,
    action: row["action"] as AuditAction,
    target: row["target"] as string,
    outcome: row["outcome"] as AuditOutcome,
    detail: row["detail"] as string | null,
  };
}
