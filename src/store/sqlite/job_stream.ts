/**
 * Due jobs in the order of their due times, read page by page as they are taken. Owns paging and the
 * merging of several streams into one; knows no statement.
 */
import type { Row } from "./connection.ts";

/** A page of rows after this position. */
export type ReadPage = (runAt: number, seq: number, limit: number) => Row[];

export class JobStream {
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

  /** The next row, which stays the next one until it is taken. */
  peek(): Row | undefined {
    if (this.#index === this.#rows.length && !this.#isLastPage) this.#turn();
    return this.#rows[this.#index];
  }

  take(): void {
    this.#index++;
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
export function* merge(streams: readonly JobStream[]): Generator<Row> {
  if (streams.length === 1) {
    const stream = streams[0]!;
    for (let row = stream.peek(); row !== undefined; row = stream.peek()) {
      stream.take();
      yield row;
    }
    return;
  }
  while (true) {
    let least: JobStream | undefined;
    for (const stream of streams) {
      if (stream.peek() === undefined) continue;
      if (least === undefined || isBefore(stream.peek()!, least.peek()!)) least = stream;
    }
    if (least === undefined) return;
    const row = least.peek()!;
    least.take();
    yield row;
  }
}

function isBefore(one: Row, other: Row): boolean {
  const [runAt, otherRunAt] = [one["run_at"] as number, other["run_at"] as number];
  return runAt === otherRunAt
    ? (one["seq"] as number) < (other["seq"] as number)
    : runAt < otherRunAt;
}
