/**
 * The seam over which a whole queue goes from one database to another: both backends implement
 * {@link TransferSide}; `queue/move.ts` does the moving. Its rows are those that `shared/tables.ts`
 * describes, alike for all backends.
 *
 * Invariant: a database with a mark, unless that says `arrived`, is opened by nobody else.
 */
import type { MovedTable } from "./shared/tables.ts";

/**
 * `leaving`, `left`: of a database whose queue is being moved away, or is gone. `arriving`, `arrived`: of
 * the one that it goes to.
 */
export type TransferState = "leaving" | "left" | "arriving" | "arrived";

export interface TransferMark {
  /** Tells a move from all others. */
  readonly id: string;
  readonly state: TransferState;
  /** The other database, without a password. */
  readonly other: string;
  readonly atMs: number;
}

/** A column of a row. */
export type CellValue = string | number | null | Uint8Array;

/** Values in the order of the table's columns. */
export type TableRow = readonly CellValue[];

/** What the key columns of a row say; null: before all rows. */
export type RowKey = TableRow | null;

/** The last number that was given out of each kind; none may be given out twice. */
export type LastNumbers = Readonly<Record<string, number>>;

/** How a database stands while nobody else can change it. */
export interface Standing {
  readonly mark: TransferMark | null;
  /** Processes that use it, as people know them. */
  readonly users: readonly string[];
  /** The tables of the queue in which something stands. */
  readonly filled: readonly string[];
}

/** A database in a move. Methods throw `StoreUnavailableError` when it cannot be used. */
export interface TransferSide extends AsyncDisposable {
  /** The database as people may see it. */
  readonly shown: string;
  /** Equal for all names of the same database. */
  readonly identity: string;

  /**
   * Lets `decide` look while nobody else can change anything, and keeps the mark that it returns (null:
   * none) in the same moment: whoever comes later sees it. When it throws, nothing is changed.
   */
  exclusively(decide: (standing: Standing) => TransferMark | null): Promise<void>;
  /** Changes the state of this move's mark; null takes the mark away. False: there is none any more. */
  changeMark(mark: TransferMark, state: TransferState | null, nowMs: number): Promise<boolean>;

  /** The rows after a key, in the order of keys: some of them, none only at the end. */
  page(table: MovedTable, after: RowKey): Promise<TableRow[]>;
  /** The key of the last row. */
  lastKey(table: MovedTable): Promise<RowKey>;
  /**
   * Adds rows, and what is derived from them, in one transaction. Only while the move goes on and the
   * last row is still the one with the key `after`.
   *
   * @throws {ConflictError} otherwise.
   */
  put(table: MovedTable, rows: readonly TableRow[], step: PutStep): Promise<void>;

  lastNumbers(): Promise<LastNumbers>;
  setLastNumbers(numbers: LastNumbers): Promise<void>;
}

export interface PutStep {
  readonly after: RowKey;
  readonly id: string;
}
