/**
 * One statement for many rows of parameters. `(?, ?), (?, ?), …` in place of a JSON array that SQLite
 * would parse again for each of its elements: measured 2 to 3 of 13 microseconds less per job that
 * is leased and completed. Statements are prepared for a few widths.
 */
import type { Connection, Row, SqlValue, Statement } from "./connection.ts";

/** Rows that a statement takes at once. */
const WIDTHS = [1, 4, 16, 64] as const;

export class BulkStatement {
  readonly #prepare: (width: number) => Statement;
  readonly #statements = new Map<number, Statement>();
  readonly #columns: number;

  /**
   * @param sql the statement, given the text that stands for the rows: `(?, ?), (?, ?)`, or `?, ?`
   * where there is one column. The parameters of the rows must be its first or its last ones.
   */
  constructor(connection: Connection, columns: number, sql: (rows: string) => string) {
    const row = columns === 1 ? "?" : `(${Array(columns).fill("?").join(", ")})`;
    this.#columns = columns;
    this.#prepare = (width) => connection.prepare(sql(Array(width).fill(row).join(", ")));
  }

  /**
   * Runs it for all rows, padded with NULLs, which must match nothing; `before` and `after` are the other
   * parameters.
   */
  all(
    rows: readonly (readonly SqlValue[])[],
    { before = [], after = [] }: { before?: readonly SqlValue[]; after?: readonly SqlValue[] },
  ): Row[] {
    const results: Row[] = [];
    for (let start = 0; start < rows.length;) {
      const left = rows.length - start;
      const width = WIDTHS.find((width) => width >= left) ?? WIDTHS.at(-1)!;
      const parameters: SqlValue[] = [...before];
      for (const row of rows.slice(start, start + width)) parameters.push(...row);
      const missing = before.length + width * this.#columns - parameters.length;
      for (let index = 0; index < missing; index++) parameters.push(null);
      parameters.push(...after);
      results.push(...this.#statement(width).all(...parameters));
      start += width;
    }
    return results;
  }

  /**
   * Runs it for all rows and no other, for statements to which a row of NULLs means something.
   * Returns how many rows were changed.
   */
  runExactly(rows: readonly (readonly SqlValue[])[]): number {
    let changed = 0;
    for (let start = 0; start < rows.length;) {
      const left = rows.length - start;
      const width = WIDTHS.findLast((width) => width <= left)!;
      changed += this.#statement(width).run(...rows.slice(start, start + width).flat());
      start += width;
    }
    return changed;
  }

  #statement(width: number): Statement {
    let statement = this.#statements.get(width);
    if (statement === undefined) this.#statements.set(width, statement = this.#prepare(width));
    return statement;
  }
}
