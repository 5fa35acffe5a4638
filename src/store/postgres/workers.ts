/** What processes say of their workers, and of the kinds that they run. */
import { LEASED } from "../guard.ts";
import { kindsText, workerFromRow } from "../shared/worker_row.ts";
import type { WorkerRecord, WorkerStatus } from "../store.ts";
import type { Sql } from "./connection.ts";

/** Workers that have been silent for so long are forgotten. */
const FORGET_AFTER_MS = 24 * 3_600_000;

/** And kinds; long, because jobs may be added while all workers are away. */
const FORGET_KINDS_AFTER_MS = 30 * 86_400_000;

export async function saveWorkers(
  workers: readonly WorkerRecord[],
  nowMs: number,
  sql: Sql,
): Promise<void> {
  const column = <T>(value: (worker: WorkerRecord) => T) => workers.map(value);
  await sql.run(
    "INSERT INTO workers (holder, label, pid, host, process_start, role, status, restarts, " +
      "started_at, kinds, heartbeat_at) SELECT *, $11::bigint FROM unnest($1::text[], $2::text[], " +
      "$3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], " +
      "$10::text[]) " +
      "ON CONFLICT (holder, label) DO UPDATE SET pid = excluded.pid, host = excluded.host, " +
      "process_start = excluded.process_start, role = excluded.role, status = excluded.status, " +
      "restarts = excluded.restarts, started_at = excluded.started_at, " +
      "kinds = excluded.kinds, heartbeat_at = excluded.heartbeat_at",
    column(({ holder }) => holder),
    column(({ label }) => label),
    column(({ pid }) => pid),
    column(({ host }) => host),
    column(({ processStart }) => processStart),
    column(({ role }) => role),
    column(({ status }) => status),
    column(({ restarts }) => restarts),
    column(({ startedAtMs }) => startedAtMs),
    column(kindsText),
    nowMs,
  );
  await sql.run(
    "DELETE FROM workers WHERE ctid = ANY(ARRAY(SELECT ctid FROM workers " +
      "WHERE heartbeat_at < $1 FOR UPDATE SKIP LOCKED))",
    nowMs - FORGET_AFTER_MS,
  );
}

export async function removeWorkers(holder: string, sql: Sql): Promise<void> {
  await sql.run("DELETE FROM workers WHERE holder = $1", holder);
}

export async function allWorkers(sql: Sql): Promise<WorkerStatus[]> {
  const rows = await sql.all(
    "SELECT workers.*, (SELECT id FROM jobs WHERE " + LEASED +
      " AND lease_holder = workers.holder AND lease_worker = workers.label " +
      "ORDER BY jobs.started_at LIMIT 1) AS job_id FROM workers " +
      "ORDER BY holder, length(label), label",
  );
  return rows.map((row) => workerFromRow(row, row["job_id"] as string | null));
}

export async function saveKinds(kinds: readonly string[], nowMs: number, sql: Sql): Promise<void> {
  await sql.run(
    "INSERT INTO kinds (kind, seen_at) SELECT DISTINCT kind, $2::bigint " +
      "FROM unnest($1::text[]) AS said (kind) ORDER BY kind " +
      "ON CONFLICT (kind) DO UPDATE SET seen_at = excluded.seen_at",
    kinds,
    nowMs,
  );
  await sql.run(
    "DELETE FROM kinds WHERE ctid = ANY(ARRAY(SELECT ctid FROM kinds " +
      "WHERE seen_at < $1 FOR UPDATE SKIP LOCKED))",
    nowMs - FORGET_KINDS_AFTER_MS,
  );
}

export async function allKinds(sql: Sql): Promise<string[]> {
  return (await sql.all("SELECT kind FROM kinds ORDER BY kind")).map((row) =>
    row["kind"] as string
  );
}
