/**
 * Due jobs in the order of their due times, read page by page as they are taken. Owns paging and the
 * merging of several streams into one; knows no statement.
 */
import { isBefore } from "../shared/due_order.ts";
import type { Row } from "./connection.ts";

/** Rows one after the other; undefined when there are no more. */
export interface Rows {
  next(): Row | undefined;
}

/** A page of rows after this position. */
export type ReadPage = (runAt: number, seq: number, limit: number) => Row[];

export class JobStream implements Rows {
  readonly #read: ReadPage;
  readonly #pageSize: () => number;
  #rows: readonly Row[] = [];
  #index = 0;
  #isLastPage = false;
  #runAt = -1;
  #seq = -1;

  constructor(read: ReadPage, pageSize: () => number) {
    this.#read = read;
    this.#pageSize = pageSize;
  }

  /** The next row, which stays the next one. */
  peek(): Row | undefined {
    if (this.#index === this.#rows.length && !this.#isLastPage) this.#turn();
    return this.#rows[this.#index];
  }

  next(): Row | undefined {
    if (this.#index === this.#rows.length && !this.#isLastPage) this.#turn();
    return this.#index < this.#rows.length ? this.#rows[this.#index++] : undefined;
  }

  #turn(): void {
    const limit = this.#pageSize();
    this.#rows = this.#read(this.#runAt, this.#seq, limit);
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
    next() {
      let least: JobStream | undefined;
      for (const stream of streams) {
        if (stream.peek() === undefined) continue;
        if (least === undefined || isBefore(stream.peek()!, least.peek()!)) least = stream;
      }
      return least?.next();
    },
  };
}
