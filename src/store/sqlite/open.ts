/**
 * Opens a database file: creates it, refuses what is another program's, migrates it, and sets what a
 * connection is to keep to. What is done with it then is `store.ts`'s.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { messageOf } from "../../lib/error_message.ts";
import { pause } from "../../lib/pause.ts";
import type { OpenOptions } from "../open.ts";
import type { JobStore } from "../store.ts";
import { prepareConfig } from "./config.ts";
import {
  asStoreError,
  type Connection,
  type Driver,
  isBusy,
  openConnection,
} from "./connection.ts";
import { refuseMarked } from "../shared/transfer_mark.ts";
import { readMark } from "./transfer_mark.ts";
import { checkVersion, migrate } from "./migrate.ts";
import { assemble } from "./store.ts";

/** SQLite's own wait for a lock blocks the thread, so it is short; the writer waits on timers. */
const BUSY_TIMEOUT_MS = 30;

/** While opening nothing else goes on, and the first openers of a file lock each other out. */
const OPENING_TIMEOUT_MS = 10_000;

/** Pages of 4 KiB in the WAL before they are copied into the database: 16 MiB. */
const CHECKPOINT_PAGES = 4_000;

export async function openSqliteStore(options: OpenOptions): Promise<JobStore> {
  const { db: path } = options;
  const connection = await openDatabase(path, options.driver);
  try {
    refuseMarked(readMark(connection), path);
    const stored = prepareConfig(connection).all();
    connection.exec(`PRAGMA synchronous = ${options.synchronous(stored)}`);
    connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    return assemble(connection, path, options.clock);
  } catch (error) {
    connection.close();
    throw asStoreError(error, path);
  }
}

/** A connection to a database that is created and migrated as needed, and synced with every commit. */
export async function openDatabase(path: string, driver: Driver): Promise<Connection> {
  createFile(path);
  let connection: Connection | undefined;
  try {
    connection = await openConnection(path, driver);
    connection.exec(`PRAGMA busy_timeout = ${OPENING_TIMEOUT_MS}`);
    checkVersion(connection, path); // before anything is changed: the file may be another program's
    // Only a new file takes this; it lets the file shrink when history is deleted.
    connection.exec("PRAGMA auto_vacuum = INCREMENTAL");
    await switchToWal(connection);
    connection.exec("PRAGMA synchronous = FULL");
    migrate(connection, path);
    connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.exec("PRAGMA journal_size_limit = 67108864");
    connection.exec("PRAGMA cache_size = -16384");
    connection.exec("PRAGMA temp_store = MEMORY");
    return connection;
  } catch (error) {
    connection?.close();
    throw asStoreError(error, path);
  }
}

/**
 * A new file is switched by one of those who open it. SQLite does not wait for others there, but says at
 * once that it is locked: two that wait for each other to let go would do so for ever.
 */
export async function switchToWal(connection: Connection): Promise<void> {
  const deadlineMs = performance.now() + OPENING_TIMEOUT_MS;
  const statement = connection.prepare("PRAGMA journal_mode = WAL");
  while (true) {
    try {
      statement.get();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadlineMs) throw error;
    }
    await pause(1 + Math.random() * 20);
  }
}

/** Creates the file for its owner alone, if there is none, and says what is wrong better than SQLite does. */
export function createFile(path: string): void {
  try {
    Deno.openSync(path, { create: true, read: true, write: true, mode: 0o600 }).close();
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "its directory does not exist"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : error instanceof Error && /Is a directory/i.test(error.message)
      ? "it is a directory"
      : messageOf(error);
    throw new StoreUnavailableError(`cannot use the database ${path}: ${reason}`, { cause: error });
  }
}
