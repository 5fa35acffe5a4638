/** The part of the store's seam that keeps who changed what. Entries come with the changes. */

export interface AuditStore {
  /** Who changed what, newest first. The last {@link AUDIT_KEPT} entries are kept. */
  audit(query: AuditQuery): Promise<AuditEntry[]>;
  /** Writes into the audit log what is no single change of the store: `prune` comes before its steps. */
  note(action: "worker.drain" | "prune", target: string, signed?: Signature): Promise<void>;
}

/** Who asks for a change, and when. */
export interface Signature {
  readonly by: string;
  readonly atMs: number;
}

/** How many entries of the audit log are kept. */
export const AUDIT_KEPT = 50_000;

export type AuditAction =
  | "cancel"
  | "requeue"
  | "delete"
  | "dlq.retry"
  | "dlq.purge"
  | "config.set"
  | "config.unset"
  | "queue.pause"
  | "queue.resume"
  | "queue.set"
  | "token.create"
  | "token.revoke"
  | "schedule.add"
  | "schedule.replace"
  | "schedule.run"
  | "schedule.pause"
  | "schedule.resume"
  | "schedule.remove"
  | "webhook.replay"
  | "webhook.rotate"
  | "prune"
  | "worker.drain";

/** `requested`: a running job was asked to stop; `refused`: its state did not allow the change. */
export type AuditOutcome = "done" | "requested" | "refused";

export interface AuditEntry {
  /** Rises by one with every entry. */
  readonly seq: number;
  readonly atMs: number;
  readonly by: string;
  readonly action: AuditAction;
  /** A job's id, a queue's or a setting's name, a token's id and name, or how many jobs. */
  readonly target: string;
  readonly outcome: AuditOutcome;
  readonly detail: string | null;
}

export interface AuditQuery {
  readonly limit: number;
  /** Only entries older than this one. */
  readonly beforeSeq?: number;
}
