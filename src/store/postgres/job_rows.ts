/**
 * Rows of `jobs` to be inserted: gathered from all calls that share a commit, and written with as few
 * words as they allow. Owns the statements that insert jobs.
 */
import type { NewJob, Payload } from "../../job/job.ts";
import type { SqlValue } from "./connection.ts";
import * as extras from "./extras.ts";
import type { DeferredRows, Transaction } from "./transaction.ts";

interface NewRow {
  readonly job: NewJob;
  readonly nowMs: number;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly value: (row: NewRow) => string | number | null | Uint8Array;
}

/** What each job has of its own. */
const OWN: readonly Column[] = [
  { name: "id", type: "text", value: ({ job }) => job.id },
  { name: "run_at", type: "bigint", value: ({ job }) => job.runAtMs },
  { name: "now_ms", type: "bigint", value: ({ nowMs }) => nowMs },
  { name: "payload", type: "text", value: ({ job }) => textOf(job.payload) },
  { name: "payload_bytes", type: "bytea", value: ({ job }) => bytesOf(job.payload) },
];

/** What jobs that are added together often have in common: then it is said once. */
const COMMON: readonly Column[] = [
  { name: "queue", type: "text", value: ({ job }) => job.queue },
  { name: "kind", type: "text", value: ({ job }) => job.kind },
  { name: "priority", type: "int", value: ({ job }) => job.priority },
  { name: "max_retries", type: "int", value: ({ job }) => job.maxRetries },
  { name: "timeout_ms", type: "bigint", value: ({ job }) => job.timeoutMs },
  { name: "options", type: "text", value: ({ job }) => optionsOf(job) },
  { name: "flow_key", type: "text", value: ({ job }) => job.extras?.key ?? null },
  { name: "traits", type: "int", value: ({ job }) => traitsOf(job) },
];

/** @param each columns of which every job gives a value; of {@link COMMON} the others are given once. */
function insertInto(each: readonly Column[]): string {
  const names = each.map(({ name }) => name);
  const arrays = each.map(({ type }, index) => `$${index + 1}::${type}[]`);
  const common = COMMON.map((column, index) =>
    each.includes(column) ? column.name : `$${each.length + index + 1}::${column.type}`
  );
  return "INSERT INTO jobs (id, state, run_at, created_at, updated_at, payload, payload_bytes, " +
    `${COMMON.map(({ name }) => name).join(", ")}) ` +
    `SELECT id, 'pending', run_at, now_ms, now_ms, payload, payload_bytes, ${common.join(", ")} ` +
    `FROM unnest(${arrays.join(", ")}) WITH ORDINALITY AS new (${names.join(", ")}, place) ` +
    "ORDER BY place";
}

const INSERT = insertInto([...OWN, ...COMMON]);
const INSERT_ALIKE = insertInto(OWN);
const NUMBERED = " RETURNING id, seq";

/** So many bytes of payloads go in one statement. */
const MOST_BYTES = 16 * 1024 * 1024;

export class JobRows implements DeferredRows {
  #rows: NewRow[] = [];
  #bytes = 0;

  put(job: NewJob, nowMs: number): void {
    this.#rows.push({ job, nowMs });
    this.#bytes += sizeOf(job.payload);
  }

  // Not async: what cannot be sent is thrown at once, before the commit goes along.
  write(transaction: Transaction): Promise<void> {
    if (this.#bytes >= MOST_BYTES) return this.#writeInParts(transaction);
    const [rows] = this.#parts();
    if (rows !== undefined) transaction.send(...insertion(rows));
    return Promise.resolve();
  }

  /** Like {@link write}; returns the numbers of the jobs by their ids. */
  async writeNumbered(transaction: Transaction): Promise<Map<string, number>> {
    const seqs = new Map<string, number>();
    for (const rows of this.#parts()) {
      const [text, ...values] = insertion(rows);
      for (const row of await transaction.all(text + NUMBERED, ...values)) {
        seqs.set(row["id"] as string, row["seq"] as number);
      }
    }
    return seqs;
  }

  async #writeInParts(transaction: Transaction): Promise<void> {
    for (const rows of this.#parts()) await transaction.run(...insertion(rows));
  }

  forget(): void {
    this.#rows = [];
    this.#bytes = 0;
  }

  /** All that was gathered, in pieces that go in one statement each. They are not kept. */
  #parts(): NewRow[][] {
    const rows = this.#rows;
    this.forget();
    const parts: NewRow[][] = [];
    let bytes = MOST_BYTES;
    for (const row of rows) {
      if (bytes >= MOST_BYTES) {
        parts.push([]);
        bytes = 0;
      }
      parts.at(-1)!.push(row);
      bytes += sizeOf(row.job.payload);
    }
    return parts;
  }
}

/** A statement that inserts the rows, and its values. */
function insertion(rows: readonly NewRow[]): [string, ...SqlValue[]] {
  const each = ({ value }: Column) => rows.map(value);
  const own = OWN.map(each);
  const common = COMMON.map(each);
  return common.every((values) => values.every((value) => value === values[0]))
    ? [INSERT_ALIKE, ...own, ...common.map((values) => values[0]!)]
    : [INSERT, ...own, ...common];
}

function textOf(payload: Payload): string | null {
  return typeof payload === "string" ? payload : null;
}

function bytesOf(payload: Payload): Uint8Array | null {
  return typeof payload === "string" ? null : payload;
}

function optionsOf({ extras }: NewJob): string | null {
  return extras?.options == null ? null : JSON.stringify(extras.options);
}

function traitsOf({ extras: special }: NewJob): number {
  return special === null ? 0 : extras.traitsOf(special);
}

function sizeOf(payload: Payload): number {
  return typeof payload === "string" ? payload.length : payload.byteLength;
}
