/**
 * Due jobs in the order of their due times, read page by page as they are taken, and locked as they are
 * read. Owns paging and the merging of several streams into one; knows no statement.
 */
import { isBefore } from "../shared/due_order.ts";
import type { Row } from "./connection.ts";

/** Rows one after the other; undefined when there are no more. */
export interface Rows {
  next(): Promise<Row | undefined>;
}

/** A page of rows after this position. */
export type ReadPage = (runAt: number, seq: number, limit: number) => Promise<Row[]>;

/** A place in the order of due jobs. */
export interface Position {
  readonly runAt: number;
  readonly seq: number;
}

export class JobStream implements Rows {
  readonly #read: ReadPage;
  readonly #pageSize: () => number;
  #rows: readonly Row[] = [];
  #index = 0;
  #isLastPage = false;
  /** A page is on its way. */
  #turning: Promise<void> | null = null;
  #position: Position;
  #last: Row | undefined;
  #passed: Row | undefined;

  /** @param after a place before the first row. */
  constructor(read: ReadPage, pageSize: () => number, after: Position = { runAt: -1, seq: -1 }) {
    this.#read = read;
    this.#pageSize = pageSize;
    this.#position = after;
  }

  /** The row before the last one: whoever took that one, or left it, has taken this one. */
  get passed(): Position | null {
    return this.#passed === undefined ? null : positionOf(this.#passed);
  }

  /** The next row, which stays the next one. */
  async peek(): Promise<Row | undefined> {
    if (this.#index === this.#rows.length && !this.#isLastPage) {
      await (this.#turning ??= this.#turn().finally(() => this.#turning = null));
    }
    return this.#rows[this.#index];
  }

  async next(): Promise<Row | undefined> {
    const row = await this.peek();
    if (row === undefined) return undefined;
    this.#index++;
    this.#passed = this.#last;
    return this.#last = row;
  }

  async #turn(): Promise<void> {
    const limit = this.#pageSize();
    this.#rows = await this.#read(this.#position.runAt, this.#position.seq, limit);
    this.#index = 0;
    this.#isLastPage = this.#rows.length < limit;
    const last = this.#rows.at(-1);
    if (last !== undefined) this.#position = positionOf(last);
  }
}

function positionOf(row: Row): Position {
  return { runAt: row["run_at"] as number, seq: row["seq"] as number };
}

/** The rows of all streams, by due time and then insertion. */
export function merge(streams: readonly JobStream[]): Rows {
  if (streams.length === 1) return streams[0]!;
  return {
    async next() {
      let least: { stream: JobStream; row: Row } | undefined;
      for (const stream of streams) {
        const row = await stream.peek();
        if (row !== undefined && (least === undefined || isBefore(row, least.row))) {
          least = { stream, row };
        }
      }
      return least?.stream.next();
    },
  };
}
