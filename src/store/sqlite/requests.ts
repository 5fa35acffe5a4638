/**
 * Requests that carry a key of their caller, so that they can be repeated: what became of the jobs of
 * the first one is kept in the transaction that added them. Owns the table `idempotency`.
 *
 * Invariant: a request that added nothing leaves nothing here, so that it can be tried again.
 */
import { areEqual, fromKept, KEPT_MS, type KeptJob, toKept } from "../shared/kept_request.ts";
import type { AddedJob, Addition, RequestKey } from "../store.ts";
import type { Connection } from "./connection.ts";

/** Answers that are dropped at once. */
const SWEEP = 500;

export function prepareRequests(connection: Connection) {
  const find = connection.prepare(
    "SELECT fingerprint, jobs FROM idempotency WHERE caller = ? AND key = ? AND created_at > ?",
  );
  const keep = connection.prepare(
    "INSERT OR REPLACE INTO idempotency (caller, key, fingerprint, jobs, created_at) " +
      "VALUES (?, ?, ?, ?, ?)",
  );
  const sweep = connection.prepare(
    "DELETE FROM idempotency WHERE (caller, key) IN (SELECT caller, key FROM idempotency " +
      "INDEXED BY idempotency_by_age WHERE created_at <= ? ORDER BY created_at LIMIT ?)",
  );

  return {
    /** What became of the jobs of a request with this key; null: there was none lately. */
    find({ caller, key, fingerprint }: RequestKey, nowMs: number): Addition | null {
      const row = find.get(caller, key, nowMs - KEPT_MS);
      if (row === undefined) return null;
      if (!areEqual(row["fingerprint"] as Uint8Array, fingerprint)) {
        return { duplicates: [], isRequestDifferent: true };
      }
      const kept = JSON.parse(row["jobs"] as string) as KeptJob[];
      return { duplicates: [], replay: kept.map(fromKept) };
    },

    keep({ caller, key, fingerprint }: RequestKey, added: readonly AddedJob[], nowMs: number) {
      keep.run(caller, key, fingerprint, JSON.stringify(added.map(toKept)), nowMs);
    },

    /** Drops some of what is too old. */
    sweep: (nowMs: number): void => void sweep.run(nowMs - KEPT_MS, SWEEP),
  };
}

export type Requests = ReturnType<typeof prepareRequests>;
