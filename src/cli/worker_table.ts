/** Workers in a table, for `status` and `worker list`. */
import type { WorkerStatus } from "../store/store.ts";
import { workerView } from "../queue/views.ts";
import type { Column, Output } from "./output.ts";

const COLUMNS: readonly Column[] = [
  { title: "WORKER" },
  { title: "PID", align: "right" },
  { title: "ROLE" },
  { title: "STATUS" },
  { title: "JOB" },
  { title: "RESTARTS", align: "right" },
  { title: "STARTED" },
  { title: "HEARTBEAT" },
];

export function printWorkers(out: Output, workers: readonly WorkerStatus[]): void {
  if (workers.length === 0) return out.line("No workers are running.");
  out.table(
    COLUMNS,
    workers.map((worker) => [
      worker.label,
      String(worker.pid),
      worker.role,
      String(workerView(worker)["status"]),
      worker.jobId ?? "-",
      String(worker.restarts),
      out.time(worker.startedAtMs),
      out.time(worker.heartbeatAtMs),
    ]),
  );
}
