/** From rows of `workers` to what the seam speaks of. */
import type { WorkerRecord, WorkerStatus } from "../store.ts";

/** The kinds that a worker runs as stores keep them: JSON, null where it has not said any. */
export function kindsText({ kinds }: WorkerRecord): string | null {
  return kinds === undefined ? null : JSON.stringify(kinds);
}

export function workerFromRow(
  row: Readonly<Record<string, unknown>>,
  jobId: string | null,
): WorkerStatus {
  const kinds = row["kinds"];
  return {
    holder: row["holder"] as string,
    label: row["label"] as string,
    pid: row["pid"] as number,
    host: row["host"] as string,
    processStart: row["process_start"] as string,
    role: row["role"] as WorkerRecord["role"],
    status: row["status"] as WorkerRecord["status"],
    restarts: row["restarts"] as number,
    startedAtMs: row["started_at"] as number,
    heartbeatAtMs: row["heartbeat_at"] as number,
    ...(typeof kinds === "string" ? { kinds: JSON.parse(kinds) } : {}),
    jobId,
  };
}
