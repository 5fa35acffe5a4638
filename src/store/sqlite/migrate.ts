/**
 * Brings a database to the schema that this program speaks, step by numbered step. Refuses a newer
 * schema and a database of some other program. To add a step, write a file and add it to the list;
 * never change one that was released.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { type Connection, inTransaction } from "./connection.ts";
import { initial } from "./migrations/0001_initial.ts";
import { tokensAndAudit } from "./migrations/0002_tokens_and_audit.ts";
import { jobOptions } from "./migrations/0003_job_options.ts";
import { queueLimits } from "./migrations/0004_queue_limits.ts";
import { schedules } from "./migrations/0005_schedules.ts";
import { files } from "./migrations/0006_files.ts";
import { deliveries } from "./migrations/0007_deliveries.ts";
import { idempotency } from "./migrations/0008_idempotency.ts";
import { progress } from "./migrations/0009_progress.ts";
import { kinds } from "./migrations/0010_kinds.ts";
import { events } from "./migrations/0011_events.ts";
import { metrics } from "./migrations/0012_metrics.ts";
import { alerts } from "./migrations/0013_alerts.ts";
import { workerKinds } from "./migrations/0014_worker_kinds.ts";
import { transfer } from "./migrations/0015_transfer.ts";

/** Step n brings version n - 1 to version n. */
const MIGRATIONS: readonly string[] = [
  initial,
  tokensAndAudit,
  jobOptions,
  queueLimits,
  schedules,
  files,
  deliveries,
  idempotency,
  progress,
  kinds,
  events,
  metrics,
  alerts,
  workerKinds,
  transfer,
];

/** "queu" in ASCII, in the file's header: tells our databases from others. */
export const APPLICATION_ID = 0x71756575;

/** The schema version that this program speaks. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** @throws {StoreUnavailableError} when the database is not ours or is newer than this program. */
export function migrate(connection: Connection, path: string): void {
  if (checkVersion(connection, path) === SCHEMA_VERSION) return;
  inTransaction(connection, () => {
    // Another process may have done it while this one waited for the lock.
    const version = checkVersion(connection, path);
    for (const step of MIGRATIONS.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    connection.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

/**
 * The schema version of the database; 0: it is new. Changes nothing.
 *
 * @throws {StoreUnavailableError} when the database is not ours or is newer than this program.
 */
export function checkVersion(connection: Connection, path: string): number {
  const version = readPragma(connection, "user_version");
  const applicationId = readPragma(connection, "application_id");
  if (applicationId === APPLICATION_ID) {
    if (version <= SCHEMA_VERSION) return version;
    throw new StoreUnavailableError(
      `the database ${path} has schema version ${version}, but this queuectl speaks up to ` +
        `${SCHEMA_VERSION}: it was written by a newer queuectl; use that one or a later one`,
    );
  }
  const objects = connection.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!["n"];
  if (applicationId === 0 && version === 0 && objects === 0) return 0;
  // Another process may have made the tables between these looks: whoever sees them sees the rest, too.
  if (readPragma(connection, "application_id") === APPLICATION_ID) {
    return checkVersion(connection, path);
  }
  throw new StoreUnavailableError(
    `the file ${path} is a database of another program; name another file with --db`,
  );
}

function readPragma(connection: Connection, name: string): number {
  return Number(connection.prepare(`PRAGMA ${name}`).get()![name]);
}
