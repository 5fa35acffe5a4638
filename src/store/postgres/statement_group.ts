/**
 * Statements that go to the server together and come back together, in one round trip: all of them, or
 * those before the first that fails; what follows that one is not done. Speaks the driver's protocol of
 * query objects, as its cursors do; knows no table and no transaction.
 */
import { Buffer } from "node:buffer";
import type { Row, SqlValue } from "./connection.ts";

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | Buffer | null)[];
  /** Under which it stays prepared in its session; undefined: it is prepared each time. */
  readonly name: string | undefined;
}

export interface Result {
  readonly rows: Row[];
  /** Of rows that were changed, or read. */
  readonly rowCount: number | null;
}

interface Stream {
  readonly writable: boolean;
  write(bytes: Uint8Array): unknown;
}

/** Of the driver's connection. */
interface Wire {
  stream: Pick<Stream, "write" | "writable">;
  close(what: { type: "S"; name: string }): void;
  parse(what: { text: string; name?: string }): void;
  bind(what: { statement?: string; values: readonly (string | Buffer | null)[] }): void;
  describe(what: { type: "P"; name: string }): void;
  execute(what: { portal: string }): void;
  sync(): void;
  sendCopyFail(why: string): void;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

type Parser = (text: string) => Row[string];

/** What a session has prepared, by name; false: it may be there, or not, because of an error. */
export type Prepared = Map<string, boolean>;

export class StatementGroup {
  readonly done: Promise<Result[]>;
  /** The driver puts its own around it, to see whether the answer comes in time. */
  callback: (error: unknown, results?: Result[]) => void;
  readonly #statements: readonly Statement[];
  readonly #prepared: Prepared;
  readonly #parserOf: (type: number) => Parser;
  /** Of those that are done. */
  readonly results: Result[] = [];
  #rows: Row[] = [];
  #names: string[] = [];
  #parsers: Parser[] = [];
  #error: unknown = null;

  constructor(
    statements: readonly Statement[],
    prepared: Prepared,
    parserOf: (type: number) => Parser,
  ) {
    this.#statements = statements;
    this.#prepared = prepared;
    this.#parserOf = parserOf;
    const { promise, resolve, reject } = Promise.withResolvers<Result[]>();
    this.done = promise;
    this.callback = (error, results) => results === undefined ? reject(error) : resolve(results);
  }

  submit(wire: Wire): void {
    // One write for all: each takes its time, and the driver makes three for a statement.
    const { stream } = wire;
    const pieces: Uint8Array[] = [];
    wire.stream = { writable: stream.writable, write: (bytes) => pieces.push(bytes) };
    try {
      const sent = new Set<string>();
      for (const { text, values, name } of this.#statements) {
        if (name === undefined) wire.parse({ text });
        else if (!sent.has(name) && this.#prepared.get(name) !== true) {
          if (this.#prepared.has(name)) wire.close({ type: "S", name });
          wire.parse({ text, name });
          this.#prepared.set(name, false);
          sent.add(name);
        }
        wire.bind({ statement: name, values });
        wire.describe({ type: "P", name: "" });
        wire.execute({ portal: "" });
      }
      wire.sync(); // only one: whatever follows an error is skipped
    } finally {
      wire.stream = stream;
    }
    if (stream.writable) stream.write(Buffer.concat(pieces));
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    this.#names = fields.map(({ name }) => name);
    this.#parsers = fields.map(({ dataTypeID }) => this.#parserOf(dataTypeID));
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    if (this.#error !== null) return;
    const row: Row = {};
    try {
      for (let index = 0; index < fields.length; index++) {
        const text = fields[index]!;
        row[this.#names[index]!] = text === null ? null : this.#parsers[index]!(text);
      }
      this.#rows.push(row);
    } catch (error) {
      this.#error = error;
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { name } = this.#statements[this.results.length]!;
    if (name !== undefined) this.#prepared.set(name, true);
    const count = /\d+$/.exec(text);
    this.results.push({ rows: this.#rows, rowCount: count === null ? null : Number(count[0]) });
    this.#rows = [];
  }

  handleReadyForQuery(): void {
    if (this.#error === null) this.callback(null, this.results);
    else this.callback(this.#error);
  }

  handleError(error: unknown): void {
    this.callback(error);
  }

  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail("nothing is copied here");
  }
}

/** As the server reads it: bytes as they are, everything else as text. */
export function encoded(value: SqlValue): string | Buffer | null {
  if (value === null) return null;
  if (typeof value === "string") return withoutNul(value);
  if (value instanceof Uint8Array) return asBuffer(value);
  return Array.isArray(value) ? `{${value.map(element).join(",")}}` : String(value);
}

function element(value: string | number | null | Uint8Array): string {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return `"\\\\x${asBuffer(value).toString("hex")}"`;
  const text = withoutNul(value);
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : `"${text}"`;
}

/** The server's texts hold no NUL characters. */
function withoutNul(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
