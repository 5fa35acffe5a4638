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

export class JobStream implements Rows {
  readonly #read: ReadPage;
  readonly #pageSize: () => number;
  #rows: readonly Row[] = [];
  #index = 0;
  #isLastPage = false;
  #runAt: number;
  #seq = -1;

  /** @param fromMs before which nothing is due. */
  constructor(read: ReadPage, pageSize: () => number, fromMs = -1) {
    this.#read = read;
    this.#pageSize = pageSize;
    this.#runAt = fromMs;
  }

  /** The next row, which stays the next one. */
  async peek(): Promise<Row | undefined> {
    if (this.#index === this.#rows.length && !this.#isLastPage) await this.#turn();
    return this.#rows[this.#index];
  }

  async next(): Promise<Row | undefined> {
    const row = await this.peek();
    if (row !== undefined) this.#index++;
    return row;
  }

  async #turn(): Promise<void> {
    const limit = this.#pageSize();
    this.#rows = await this.#read(this.#runAt, this.#seq, limit);
    this.#index = 0;
    this.#isLastPage = this.#rows.length < limit;
    const last = this.#rows.at(-1);
    if (last === undefined) return;
    this.#runAt = last["run_at"] as number;
    this.#seq = last["seq"] as number;
  }
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
