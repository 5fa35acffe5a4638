/** What processes say of their workers. */
import { LEASED } from "../guard.ts";
import { kindsText, workerFromRow } from "../shared/worker_row.ts";
import type { WorkerRecord, WorkerStatus } from "../store.ts";
import type { Connection } from "./connection.ts";

/** Workers that have been silent for so long are forgotten. */
const FORGET_AFTER_MS = 24 * 3_600_000;

export function prepareWorkers(connection: Connection) {
  const save = connection.prepare(
    "INSERT OR REPLACE INTO workers (holder, label, pid, host, process_start, role, status, " +
      "restarts, started_at, heartbeat_at, kinds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const forget = connection.prepare("DELETE FROM workers WHERE heartbeat_at < ?");
  const remove = connection.prepare("DELETE FROM workers WHERE holder = ?");
  const select = connection.prepare("SELECT * FROM workers ORDER BY holder, length(label), label");
  const running = connection.prepare(
    "SELECT id, lease_holder, lease_worker FROM jobs INDEXED BY jobs_leased " +
      `WHERE ${LEASED} ORDER BY started_at DESC`,
  );

  return {
    save(workers: readonly WorkerRecord[], nowMs: number): void {
      for (const worker of workers) {
        save.run(
          worker.holder,
          worker.label,
          worker.pid,
          worker.host,
          worker.processStart,
          worker.role,
          worker.status,
          worker.restarts,
          worker.startedAtMs,
          nowMs,
          kindsText(worker),
        );
      }
      forget.run(nowMs - FORGET_AFTER_MS);
    },

    remove: (holder: string): void => void remove.run(holder),

    all(): WorkerStatus[] {
      const jobOf = new Map<string, string>();
      for (const row of running.all()) {
        jobOf.set(`${row["lease_holder"]} ${row["lease_worker"]}`, row["id"] as string);
      }
      return select.all().map((row) =>
        workerFromRow(row, jobOf.get(`${row["holder"]} ${row["label"]}`) ?? null)
      );
    },
  };
}
