/**
 * A database file in a move: read and written table by table, as `shared/tables.ts` describes them.
 *
 * Invariant: a mark is set only while no other process has the file open, so whoever opens it later
 * sees the mark, and nobody who came before is left.
 */
import { ConflictError, StoreUnavailableError } from "../../job/errors.ts";
import { usersOfFile } from "../../lib/file_users.ts";
import {
  areKeysEqual,
  countJobs,
  keyOf,
  MOVED_TABLES,
  type MovedTable,
  NUMBERED,
} from "../shared/tables.ts";
import { keyFromRow, quoted, readPage, selectLastKey } from "../shared/table_pages.ts";
import type {
  LastNumbers,
  PutStep,
  RowKey,
  Standing,
  TableRow,
  TransferMark,
  TransferSide,
  TransferState,
} from "../transfer.ts";
import { INLINE_PAYLOAD } from "./add.ts";
import { BulkStatement } from "./bulk.ts";
import {
  asStoreError,
  type Connection,
  type Driver,
  inTransaction,
  isBusy,
  openConnection,
  type SqlValue,
} from "./connection.ts";
import { changeMark, readMark, writeMark } from "./transfer_mark.ts";
import { checkVersion } from "./migrate.ts";
import { createFile, openDatabase } from "./open.ts";

/** How long others, such as a command that is just ending, may have the file open. */
const EXCLUSIVE_PATIENCE_MS = 2_000;

/** The columns of jobs but for the payload, which stands in one column of one of two tables. */
const PLAIN_COLUMNS = Object.keys(MOVED_TABLES.find(({ name }) => name === "jobs")!.columns)
  .filter((name) => name !== "payload" && name !== "payload_bytes")
  .map((name) => `jobs.${name}`);

/** Where rows come from, where that is not simply their table. */
const SOURCES: Readonly<Record<string, string>> = {
  jobs: "(SELECT held.*, CASE typeof(body) WHEN 'text' THEN body END AS payload, " +
    "CASE typeof(body) WHEN 'blob' THEN body END AS payload_bytes FROM " +
    `(SELECT ${PLAIN_COLUMNS.join(", ")}, coalesce(jobs.payload, payloads.body) AS body ` +
    "FROM jobs LEFT JOIN payloads ON payloads.seq = jobs.seq) AS held)",
};

/** Opens a file; the one that a queue comes from must exist and hold one. */
export async function openSqliteSide(
  { path, driver, isSource }: { path: string; driver: Driver; isSource: boolean },
): Promise<TransferSide> {
  if (isSource) await refuseOther(path, driver);
  const connection = await openDatabase(path, driver);
  connection.close();
  const { dev, ino } = Deno.statSync(path);
  return new SqliteSide(path, driver, `sqlite ${dev}:${ino}`);
}

/** Only a source that is a queue's: one that does not exist is not made. */
async function refuseOther(path: string, driver: Driver): Promise<void> {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new StoreUnavailableError(`there is no database ${path}`);
    } // else it is told below what is wrong
  }
  createFile(path);
  const connection = await openConnection(path, driver);
  try {
    if (checkVersion(connection, path) > 0) return;
  } catch (error) {
    throw asStoreError(error, path);
  } finally {
    connection.close();
  }
  throw new StoreUnavailableError(`the database ${path} holds no queue: the file is empty`);
}

class SqliteSide implements TransferSide {
  #connection: Connection | null = null;
  readonly #inserts = new Map<string, (row: readonly TableRow[]) => void>();

  constructor(
    readonly shown: string,
    private readonly driver: Driver,
    readonly identity: string,
  ) {}

  async exclusively(decide: (standing: Standing) => TransferMark | null): Promise<void> {
    this.#close(); // it would be in its own way
    const connection = await openConnection(this.shown, this.driver);
    try {
      this.#lockOthersOut(connection);
      const filled = MOVED_TABLES.map(({ name }) => name).filter((name) =>
        connection.prepare(`SELECT 1 FROM ${name} LIMIT 1`).get() !== undefined
      );
      const mark = decide({ mark: readMark(connection), users: [], filled });
      writeMark(connection, mark);
      connection.prepare("COMMIT").run();
    } catch (error) {
      throw asStoreError(error, this.shown);
    } finally {
      connection.close(); // rolls back what was not committed
    }
  }

  /**
   * In WAL mode each connection keeps a shared lock on the file for as long as it lives, so the
   * exclusive one is to be had only when there is no other.
   */
  #lockOthersOut(connection: Connection): void {
    try {
      connection.exec(`PRAGMA busy_timeout = ${EXCLUSIVE_PATIENCE_MS}`);
      connection.prepare("PRAGMA locking_mode = EXCLUSIVE").get();
      connection.exec("PRAGMA synchronous = FULL");
      connection.prepare("BEGIN EXCLUSIVE").run();
    } catch (error) {
      if (!isBusy(error)) throw error;
      const users = usersOfFile(this.shown);
      const by = users.length === 0 ? "another process has it open" : `open in ${users.join(", ")}`;
      throw new ConflictError(
        `the database ${this.shown} is in use: ${by}; stop what uses it, then try again`,
      );
    }
  }

  async changeMark(
    mark: TransferMark,
    state: TransferState | null,
    nowMs: number,
  ): Promise<boolean> {
    return await this.#use((connection) => changeMark(connection, mark, { to: state, nowMs }));
  }

  page(table: MovedTable, after: RowKey): Promise<TableRow[]> {
    return this.#use((connection) =>
      readPage(table, after, {
        from: SOURCES[table.name] ?? table.name,
        placeholder: () => "?",
        all: (sql, parameters) => connection.prepare(sql).all(...parameters),
      })
    );
  }

  lastKey(table: MovedTable): Promise<RowKey> {
    return this.#use((connection) => lastKey(table, connection));
  }

  put(table: MovedTable, rows: readonly TableRow[], { after, id }: PutStep): Promise<void> {
    return this.#transaction((connection) => {
      const mark = readMark(connection);
      const isOurs = mark?.id === id && mark.state === "arriving";
      if (!isOurs || !areKeysEqual(lastKey(table, connection), after)) {
        throw new ConflictError(`another process has changed the database ${this.shown} meanwhile`);
      }
      this.#insertOf(table, connection)(rows);
      if (table.name === "jobs") addCounts(table, rows, connection);
    });
  }

  lastNumbers(): Promise<LastNumbers> {
    return this.#use((connection) => {
      const rows = connection.prepare("SELECT name, seq FROM sqlite_sequence").all();
      const found = new Map(rows.map((row) => [row["name"], row["seq"] as number]));
      return Object.fromEntries(NUMBERED.map((name) => [name, found.get(name) ?? 0]));
    });
  }

  setLastNumbers(numbers: LastNumbers): Promise<void> {
    return this.#transaction((connection) => {
      const remove = connection.prepare("DELETE FROM sqlite_sequence WHERE name = ?");
      const insert = connection.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)");
      for (const name of NUMBERED) {
        remove.run(name);
        insert.run(name, numbers[name]!);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  async #use<T>(work: (connection: Connection) => T | Promise<T>): Promise<T> {
    try {
      this.#connection ??= await openDatabase(this.shown, this.driver);
      return await work(this.#connection);
    } catch (error) {
      throw asStoreError(error, this.shown);
    }
  }

  #transaction(work: (connection: Connection) => void): Promise<void> {
    return this.#use((connection) => inTransaction(connection, () => work(connection)));
  }

  #close(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#inserts.clear();
  }

  #insertOf(table: MovedTable, connection: Connection): (rows: readonly TableRow[]) => void {
    let insert = this.#inserts.get(table.name);
    if (insert === undefined) {
      insert = table.name === "jobs"
        ? jobsInsert(table, connection)
        : plainInsert(table, connection);
      this.#inserts.set(table.name, insert);
    }
    return insert;
  }
}

function lastKey(table: MovedTable, connection: Connection): RowKey {
  return keyFromRow(table, connection.prepare(selectLastKey(table)).get());
}

function plainInsert(table: MovedTable, connection: Connection) {
  const names = Object.keys(table.columns);
  const bulk = new BulkStatement(
    connection,
    names.length,
    (rows) => `INSERT INTO ${table.name} (${quoted(names)}) VALUES ${rows}`,
  );
  return (rows: readonly TableRow[]): void => void bulk.runExactly(rows);
}

/** As jobs are added: large payloads stand apart. */
function jobsInsert(table: MovedTable, connection: Connection) {
  const names = Object.keys(table.columns);
  const [textAt, bytesAt] = [names.indexOf("payload"), names.indexOf("payload_bytes")];
  const kept = names.filter((name) => name !== "payload_bytes");
  const bulk = new BulkStatement(
    connection,
    kept.length,
    (rows) => `INSERT INTO jobs (${quoted(kept)}) VALUES ${rows}`,
  );
  const insertPayload = connection.prepare("INSERT INTO payloads (seq, body) VALUES (?, ?)");
  return (rows: readonly TableRow[]): void => {
    const large: [SqlValue, SqlValue][] = [];
    bulk.runExactly(rows.map((row) => {
      const body = (row[textAt] ?? row[bytesAt]) as string | Uint8Array;
      const isInline = body.length <= INLINE_PAYLOAD;
      if (!isInline) large.push([keyOf(table, row)[0]!, body]);
      const values = row.map((value, index) => index === textAt ? (isInline ? body : null) : value);
      values.splice(bytesAt, 1);
      return values;
    }));
    for (const [seq, body] of large) insertPayload.run(seq, body);
  };
}

function addCounts(table: MovedTable, rows: readonly TableRow[], connection: Connection): void {
  const add = connection.prepare(
    "INSERT INTO counts (queue, state, jobs) VALUES (?, ?, ?) " +
      "ON CONFLICT (queue, state) DO UPDATE SET jobs = jobs + excluded.jobs",
  );
  for (const { queue, state, jobs } of countJobs(table, rows)) add.run(queue, state, jobs);
}
