/**
 * Connections to a PostgreSQL server: opens them, runs statements, and says what is wrong when that
 * does not work. Knows no table.
 *
 * Invariants: no message holds the password; whoever waits for an answer is told in bounded time.
 */
import { Buffer } from "node:buffer";
import { shownDatabase } from "../../lib/database_url.ts";
import { asStoreError } from "./errors.ts";

/** What can be given to a statement; numbers are safe integers unless a column says otherwise. */
export type SqlValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly (string | number | null | Uint8Array)[];

/** A row by column name. */
export type Row = Record<string, string | number | boolean | null | Uint8Array>;

/** Something that runs statements. */
export interface Sql {
  all(text: string, ...values: SqlValue[]): Promise<Row[]>;
  get(text: string, ...values: SqlValue[]): Promise<Row | undefined>;
  /** The number of rows that were changed. */
  run(text: string, ...values: SqlValue[]): Promise<number>;
}

/** The part of the driver that is used here. */
interface Client {
  connect(): Promise<unknown>;
  query(query: unknown): Promise<Result | Result[]>;
  end(): Promise<void>;
  on(event: string, listener: (argument: never) => void): unknown;
  readonly connection?: { readonly stream?: { destroy(): void } };
}

interface Result {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

/** How long opening a connection may take, and how long any answer may. */
const CONNECT_MS = 5_000;
const ANSWER_MS = 30_000;

/**
 * Every session is set up so: plans follow the indexes that are made for each statement, however
 * little the server knows yet of a young table; and a session whose other end is gone lets go of its
 * locks.
 */
const SETTINGS = "SET jit = off; SET plan_cache_mode = force_generic_plan; " +
  "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; " +
  "SET enable_mergejoin = off; SET idle_in_transaction_session_timeout = '10s'; " +
  "SET lock_timeout = '20s'; SET client_min_messages = warning";

/** So many statements are prepared in a session; others are those with filters, which vary. */
const MOST_PREPARED = 400;
const names = new Map<string, string>();

function nameOf(text: string): string | undefined {
  let name = names.get(text);
  if (name === undefined && names.size < MOST_PREPARED) {
    names.set(text, name = `queuectl_${names.size}`);
  }
  return name;
}

/** One connection. */
export class Session implements Sql {
  readonly #client: Client;
  #isLost = false;
  /** Called with what another session has notified. */
  onNotice: (payload: string) => void = () => {};
  /** Called when the connection ends by itself. */
  onLost: () => void = () => {};

  private constructor(client: Client) {
    this.#client = client;
  }

  /** @throws {StoreUnavailableError} saying why there is no connection. */
  static async open(url: string): Promise<Session> {
    const { default: pg } = await import("pg");
    let client: Client;
    try {
      client = new pg.Client({
        connectionString: withUsualModes(url),
        application_name: "queuectl",
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: ANSWER_MS,
        keepAlive: true,
        types: { getTypeParser: (oid: number, format: string) => parserOf(pg, oid, format) },
      }) as Client;
    } catch (error) {
      throw asStoreError(error, shownDatabase(url));
    }
    const session = new Session(client);
    const lost = () => {
      if (session.#isLost) return;
      session.#isLost = true;
      session.onLost();
    };
    client.on("error", lost);
    client.on("end", lost);
    client.on(
      "notification",
      ({ payload = "" }: { payload?: string }) => session.onNotice(payload),
    );
    try {
      await client.connect();
      await client.query(SETTINGS);
    } catch (error) {
      session.cut();
      throw asStoreError(error, shownDatabase(url));
    }
    return session;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Statements without parameters, one after the other; the rows of each. */
  async script(text: string): Promise<Row[][]> {
    const results = await this.#client.query(text);
    return (Array.isArray(results) ? results : [results]).map(({ rows }) => rows);
  }

  async all(text: string, ...values: SqlValue[]): Promise<Row[]> {
    return (await this.#run(text, values)).rows;
  }

  async get(text: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.#run(text, values)).rows[0];
  }

  async run(text: string, ...values: SqlValue[]): Promise<number> {
    return (await this.#run(text, values)).rowCount ?? 0;
  }

  /** Ends it politely. */
  async close(): Promise<void> {
    if (this.#isLost) return this.cut();
    this.#isLost = true;
    try {
      await this.#client.end();
    } catch { /* it is gone anyway */ }
  }

  /** Ends it at once; whatever is under way fails. */
  cut(): void {
    this.#isLost = true;
    this.#client.connection?.stream?.destroy();
    this.#client.end().catch(() => {});
  }

  async #run(text: string, values: readonly SqlValue[]): Promise<Result> {
    return await this.#client.query({
      name: nameOf(text),
      text,
      values: values.map(bound),
    }) as Result;
  }
}

/** The driver takes Node's buffers for bytes; the server's texts hold no NUL characters. */
function bound(value: SqlValue): unknown {
  if (typeof value === "string") return value.replaceAll("\0", "\uFFFD");
  if (value instanceof Uint8Array) return asBuffer(value);
  return Array.isArray(value) ? value.map(bound) : value;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `sslmode` means what it means to psql and everybody else: the driver would take it more strictly. */
function withUsualModes(url: string): string {
  if (!/[?&]sslmode=/.test(url) || /[?&]uselibpqcompat=/.test(url)) return url;
  return `${url}&uselibpqcompat=true`;
}

const [INT8, NUMERIC, BYTEA] = [20, 1700, 17];

interface Driver {
  readonly types: { getTypeParser(oid: number, format: string): (value: string) => unknown };
}

/** All whole numbers here are safe integers: times in milliseconds, counters. */
function parserOf(pg: Driver, oid: number, format: string): (value: string) => unknown {
  if (oid === INT8 || oid === NUMERIC) return Number;
  const parse = pg.types.getTypeParser(oid, format);
  return oid === BYTEA ? (value) => new Uint8Array(parse(value) as Uint8Array) : parse;
}
