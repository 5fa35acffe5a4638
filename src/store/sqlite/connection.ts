/**
 * Opens one connection and hides which driver does it: the runtime's own `node:sqlite`, or the FFI
 * module `@db/sqlite`. Knows no table. Invariant: errors leave with SQLite's result code on them.
 */
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailableError } from "../../job/errors.ts";

/** What can be bound to a parameter. All numbers must be safe integers; columns are STRICT. */
export type SqlValue = string | number | null | Uint8Array;

/** A row by column name. */
export type Row = Record<string, SqlValue>;

export interface Statement {
  /** Runs it; returns the number of rows changed. */
  run(...parameters: SqlValue[]): number;
  get(...parameters: SqlValue[]): Row | undefined;
  all(...parameters: SqlValue[]): Row[];
}

export interface Connection {
  /** For statements without parameters and results. */
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export type Driver = "builtin" | "ffi";

export async function openConnection(path: string, driver: Driver): Promise<Connection> {
  return driver === "ffi" ? await openFfi(path) : openBuiltin(path);
}

function openBuiltin(path: string): Connection {
  const database = new DatabaseSync(path);
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        run: (...parameters) => Number(statement.run(...parameters).changes),
        get: (...parameters) => statement.get(...parameters) as Row | undefined,
        all: (...parameters) => statement.all(...parameters) as Row[],
      };
    },
    close: () => database.close(),
  };
}

/** The part of `@db/sqlite` that is used here. */
interface FfiModule {
  Database: new (path: string, options: { int64: boolean }) => {
    exec(sql: string): unknown;
    prepare(sql: string): {
      run(...parameters: SqlValue[]): number;
      get(...parameters: SqlValue[]): Row | undefined;
      all(...parameters: SqlValue[]): Row[];
    };
    close(): void;
  };
}

/**
 * The module's specifier stands in a variable, because one that can be analysed would have to be
 * downloadable on every machine that builds or checks this program.
 */
async function openFfi(path: string): Promise<Connection> {
  const specifier = Deno.env.get("QUEUECTL_SQLITE_MODULE") || "jsr:@db/sqlite@^0.13";
  let module: FfiModule;
  try {
    module = await import(specifier);
  } catch (cause) {
    throw new StoreUnavailableError(
      `sqlite-driver is ffi, but its module ${specifier} cannot be loaded. Run from source on a ` +
        "machine that reaches JSR (deno run --no-lock), compile with --include " +
        "jsr:@db/sqlite@^0.13, or name a copy in QUEUECTL_SQLITE_MODULE; or use " +
        "sqlite-driver=builtin",
      { cause },
    );
  }
  const database = new module.Database(path, { int64: true });
  return {
    exec: (sql) => void database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        run: (...parameters) => statement.run(...parameters),
        get: (...parameters) => statement.get(...parameters),
        all: (...parameters) => statement.all(...parameters),
      };
    },
    close: () => database.close(),
  };
}

/** Does all of the work, or nothing of it. Not for the writer, whose commits many operations share. */
export function inTransaction<T>(connection: Connection, work: () => T): T {
  connection.prepare("BEGIN IMMEDIATE").run();
  try {
    const result = work();
    connection.prepare("COMMIT").run();
    return result;
  } catch (error) {
    try {
      connection.prepare("ROLLBACK").run();
    } catch { /* a full disk has rolled it back already */ }
    throw error;
  }
}

/** SQLite's primary result codes that are told apart. Source: sqlite.org/rescode.html. */
export const RESULT = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
} as const;

/** The primary result code of an error that came out of a connection; null: it has none. */
export function resultCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  const found = typeof errcode === "number" ? errcode : typeof code === "number" ? code : null;
  if (found !== null) return found & 0xff;
  if (/database is locked|database table is locked/.test(error.message)) return RESULT.BUSY;
  if (/file is not a database/.test(error.message)) return RESULT.NOTADB;
  if (/unable to open database/.test(error.message)) return RESULT.CANTOPEN;
  if (/database or disk is full/.test(error.message)) return RESULT.FULL;
  if (/readonly database/.test(error.message)) return RESULT.READONLY;
  if (/malformed/.test(error.message)) return RESULT.CORRUPT;
  if (/disk I\/O error/.test(error.message)) return RESULT.IOERR;
  return null;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === RESULT.BUSY || code === RESULT.LOCKED;
}

const REASONS: Record<number, string> = {
  [RESULT.BUSY]: "another program keeps it locked",
  [RESULT.LOCKED]: "another program keeps it locked",
  [RESULT.READONLY]: "it is read-only",
  [RESULT.IOERR]: "reading or writing the disk failed",
  [RESULT.CORRUPT]: "it is damaged",
  [RESULT.FULL]: "the disk is full",
  [RESULT.CANTOPEN]: "it cannot be opened",
  [RESULT.NOTADB]: "it is not an SQLite database",
};

/** The error as the store's users see it: unavailability with its reason, or itself. */
export function asStoreError(error: unknown, path: string): unknown {
  const code = resultCode(error);
  const reason = code === null ? undefined : REASONS[code];
  if (reason === undefined) return error;
  return new StoreUnavailableError(`cannot use the database ${path}: ${reason}`, { cause: error });
}
