/**
 * Many records of one shape as columns: what all have in common is said once, and their bytes lie in one
 * buffer. Hundreds of small records so go to another thread for a fifth of what copying each one costs.
 */

/** What {@link toColumns} makes, and structured cloning carries. */
export interface Columns<T> {
  readonly length: number;
  /** What all records have in common. */
  readonly same: Partial<T>;
  /** By key: the value of each record, in their order. */
  readonly each: Readonly<Partial<Record<keyof T, readonly unknown[]>>>;
  /** By key: the bytes of all records, one after the other, and where each record's end. Few altogether. */
  readonly bytes: Readonly<Partial<Record<keyof T, JoinedBytes>>>;
}

interface JoinedBytes {
  readonly joined: Uint8Array;
  readonly ends: readonly number[];
}

/**
 * The most bytes that are joined: what is larger would only be copied once more, and be kept in memory
 * by whoever keeps the smallest piece of it.
 */
const MOST_JOINED_BYTES = 2 * 1024 * 1024;

export function toColumns<T extends object>(records: readonly T[]): Columns<T> {
  const same: Partial<T> = {};
  const each: Partial<Record<keyof T, readonly unknown[]>> = {};
  const bytes: Partial<Record<keyof T, JoinedBytes>> = {};
  for (const key of keysOf(records)) {
    const values = records.map((record) => record[key]);
    const first = values[0]!;
    if (values.every((value) => value === first)) same[key] = first;
    else if (areBytes(values) && sizeOf(values) <= MOST_JOINED_BYTES) bytes[key] = join(values);
    else each[key] = values;
  }
  return { length: records.length, same, each, bytes };
}

/** The records again. Those with bytes have views of one buffer. */
export function fromColumns<T extends object>({ length, same, each, bytes }: Columns<T>): T[] {
  const records = Array.from({ length }, () => ({ ...same }) as Record<keyof T, unknown>);
  for (const key of Object.keys(each) as (keyof T)[]) {
    const values = each[key]!;
    for (let index = 0; index < length; index++) records[index]![key] = values[index];
  }
  for (const key of Object.keys(bytes) as (keyof T)[]) {
    const { joined, ends } = bytes[key]!;
    for (let index = 0; index < length; index++) {
      records[index]![key] = joined.subarray(ends[index - 1] ?? 0, ends[index]);
    }
  }
  return records as T[];
}

/** All that any of the records has. */
function keysOf<T extends object>(records: readonly T[]): Set<keyof T> {
  const keys = new Set<keyof T>();
  for (const record of records) for (const key in record) keys.add(key);
  return keys;
}

function areBytes(values: readonly unknown[]): values is readonly Uint8Array[] {
  return values.every((value) => value instanceof Uint8Array);
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function join(pieces: readonly Uint8Array[]): JoinedBytes {
  const joined = new Uint8Array(sizeOf(pieces));
  const ends: number[] = [];
  let end = 0;
  for (const piece of pieces) {
    joined.set(piece, end);
    ends.push(end += piece.byteLength);
  }
  return { joined, ends };
}
