/** From the setting `db` to a store. The only file that knows which backends exist. */
import type { Clock } from "../lib/clock.ts";
import { isPostgresUrl } from "../lib/database_url.ts";
import type { JobStore } from "./store.ts";
import type { TransferSide } from "./transfer.ts";

export interface OpenOptions {
  /**
   * Path of an SQLite database, which is created when it does not exist; or the URL of a PostgreSQL
   * database, in which the tables are.
   */
  readonly db: string;
  readonly driver: "builtin" | "ffi";
  /** The machine's. A server has one of its own: see {@link JobStore.clock}. */
  readonly clock: Clock;
  /** Decides the durability of commits once the `config` table can be read. */
  readonly synchronous: (stored: ReadonlyMap<string, string>) => "full" | "normal";
}

/**
 * Opens the store, creating and migrating it as needed.
 *
 * @throws {StoreUnavailableError} saying why it cannot be used.
 */
export async function openStore(options: OpenOptions): Promise<JobStore> {
  if (isPostgresUrl(options.db)) {
    const { openPostgresStore } = await import("./postgres/store.ts");
    return await openPostgresStore(options);
  }
  const { openSqliteStore } = await import("./sqlite/open.ts");
  return await openSqliteStore(options);
}

export interface TransferOptions extends Pick<OpenOptions, "db" | "driver"> {
  /** Whether the queue comes from there; then it must exist. */
  readonly isSource: boolean;
}

/**
 * Opens a database as one side of a move.
 *
 * @throws {StoreUnavailableError} saying why it cannot be used.
 */
export async function openTransferSide(
  { db, driver, isSource }: TransferOptions,
): Promise<TransferSide> {
  if (isPostgresUrl(db)) {
    const { openPostgresSide } = await import("./postgres/transfer.ts");
    return await openPostgresSide({ url: db, isSource });
  }
  const { openSqliteSide } = await import("./sqlite/transfer.ts");
  return await openSqliteSide({ path: db, driver, isSource });
}
