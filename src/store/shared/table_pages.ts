/**
 * Reading a table of {@link MOVED_TABLES} page by page, in the words that both servers understand. Knows
 * no connection. Invariant: a page is never more than fits into memory, and empty only at the end.
 */
import type { RowKey, TableRow } from "../transfer.ts";
import { type MovedTable, PAGE_ROWS, rowsThatFit } from "./tables.ts";

type Value = TableRow[number];
type Row = Readonly<Record<string, unknown>>;

/** What the backends differ in. */
export interface PageSource {
  /** The table, or what stands for it. */
  readonly from: string;
  /** How a statement names its parameter with this number, from 1 on. */
  readonly placeholder: (number: number) => string;
  readonly all: (
    sql: string,
    parameters: readonly Value[],
  ) => readonly Row[] | Promise<readonly Row[]>;
}

/** The rows that follow the key. */
export async function readPage(
  table: MovedTable,
  after: RowKey,
  { from, placeholder, all }: PageSource,
): Promise<TableRow[]> {
  const key = quoted(table.key);
  const parameters: Value[] = [];
  const conditions: string[] = [];
  const addBound = (comparison: string, bound: readonly Value[]) => {
    const places = bound.map((value) => placeholder(parameters.push(value)));
    conditions.push(`(${key}) ${comparison} (${places.join(", ")})`);
  };
  const select = (columns: string) => {
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")} `;
    return all(
      `SELECT ${columns} FROM ${from} ${where}ORDER BY ${key} LIMIT ${PAGE_ROWS}`,
      parameters,
    );
  };
  if (after !== null) addBound(">", after);
  if (table.large !== undefined) {
    const size = table.large.map((name) => `coalesce(octet_length("${name}"), 0)`).join(" + ");
    const sizes = await select(`${key}, ${size} AS page_bytes`);
    if (sizes.length === 0) return [];
    const fitting = rowsThatFit(sizes.map((row) => row["page_bytes"] as number));
    addBound("<=", keyFromRow(table, sizes[fitting - 1])!);
  }
  const names = Object.keys(table.columns);
  const rows = await select(quoted(names));
  return rows.map((row) => names.map((name) => row[name] as Value));
}

/** The key of the table's last row. */
export function selectLastKey({ name, key }: MovedTable): string {
  const backwards = key.map((column) => `"${column}" DESC`).join(", ");
  return `SELECT ${quoted(key)} FROM ${name} ORDER BY ${backwards} LIMIT 1`;
}

export function keyFromRow({ key }: MovedTable, row: Row | undefined): RowKey {
  return row === undefined ? null : key.map((name) => row[name] as Value);
}

export function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
