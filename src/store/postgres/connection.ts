/**
 * Connections to a PostgreSQL server: opens them, runs statements, and says what is wrong when that
 * does not work. Knows no table.
 *
 * Invariants: no message holds the password; whoever waits for an answer is told in bounded time.
 */
import type { RemoteClock } from "../../lib/remote_clock.ts";
import { isLost, isSilence, NoWay, TakesNoWrites } from "./errors.ts";
import { type Client, openClient, type Opened } from "./opening.ts";
import { assertKeepsSession } from "./pooling.ts";
import {
  encoded,
  type Prepared,
  type Result,
  type Statement,
  StatementGroup,
} from "./statement_group.ts";
import type { Host, Target } from "./target.ts";

/** What can be given to a statement; numbers are safe integers unless a column says otherwise. */
export type SqlValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly (string | number | null | Uint8Array)[];

/** A row by column name. */
export type Row = Record<string, string | number | boolean | null | Uint8Array | number[]>;

/** Something that runs statements. */
export interface Sql {
  all(text: string, ...values: SqlValue[]): Promise<Row[]>;
  get(text: string, ...values: SqlValue[]): Promise<Row | undefined>;
  /** The number of rows that were changed. */
  run(text: string, ...values: SqlValue[]): Promise<number>;
}

/**
 * How long any answer may take, but for statements that are known to be long. A network that swallows
 * everything is noticed so; a third of the default lease, which so outlives a cut of some seconds.
 * Statements take milliseconds, and wait for locks no longer than `lock_timeout` below.
 */
const ANSWER_MS = 10_000;

/** For {@link Session.script}: work whose end is worth waiting for, such as making the tables. */
export const LONG_ANSWER_MS = 600_000;

/**
 * Every session is set up so: plans follow the indexes that are made for each statement, however
 * little the server knows yet of a young table; a statement sees what was committed before it, because
 * what was waited for under a lock is read after it; a session whose other end is gone lets go of its
 * locks. No `statement_timeout`: it would end the wait for a synchronous standby, and report a commit
 * that no standby has.
 */
const SETTINGS = "SET default_transaction_isolation = 'read committed'; " +
  "SET jit = off; SET plan_cache_mode = force_generic_plan; " +
  "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; " +
  "SET enable_mergejoin = off; SET idle_in_transaction_session_timeout = '10s'; " +
  "SET lock_timeout = '8s'; SET statement_timeout = 0; SET tcp_keepalives_idle = 10; " +
  "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; SET tcp_user_timeout = '20s'; " +
  "SET client_min_messages = warning";

/** Whether the session can be used for what it is wanted for, and the time. */
const GREETING = "SELECT current_setting('server_version_num')::int AS version_number, " +
  "current_setting('server_version') AS version, " +
  "current_setting('server_encoding') AS encoding, pg_backend_pid() AS pid, " +
  "current_setting('transaction_read_only') = 'on' AS is_read_only, " +
  "pg_is_in_recovery() AS is_standby, " +
  "(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms";

/** The first version that knows all that the statements here use. */
const OLDEST = 13;

/** How long the polite end of a connection with TLS may take. */
const TLS_END_MS = 100;

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

interface Waiting {
  readonly statement: Statement;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One connection. Statements that are asked for without waiting for each other go to the server
 * together, and what follows one that fails is not done.
 */
export class Session implements Sql {
  readonly #opened: Opened;
  readonly #client: Client;
  readonly #driver: Driver;
  readonly #prepared: Prepared = new Map();
  #waiting: Waiting[] = [];
  /** Whether more waits than what only goes ahead of something. */
  #isAnyWanted = false;
  #isSending = false;
  #isLost = false;
  /** Whether it was given up because an answer did not come. */
  isSilent = false;
  /** Which of the server's hosts it is on. */
  place = 0;
  /** Called with what another session has notified. */
  onNotice: (payload: string) => void = () => {};
  /** Called when the connection ends by itself. */
  onLost: () => void = () => {};

  private constructor(opened: Opened, driver: Driver) {
    this.#opened = opened;
    this.#driver = driver;
    this.#client = opened.client;
  }

  /** Opens one that can write, and hears the server's clock. @throws {unknown} what is in the way. */
  static async open(host: Host, target: Target, clock: RemoteClock): Promise<Session> {
    const { default: pg } = await import("pg");
    const opened = await openClient(host, target, {
      query_timeout: ANSWER_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      types: { getTypeParser: (oid: number) => parserOf(pg, oid) },
    });
    const { client } = opened;
    const session = new Session(opened, pg as Driver);
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
      const askedMs = clock.ask();
      const greeting = (await session.script(GREETING))[0]![0]!;
      clock.heard(greeting["now_ms"] as number, askedMs);
      if (greeting["is_read_only"]) throw new TakesNoWrites(greeting["is_standby"] as boolean);
      assertServes(greeting);
      if (greeting["pid"] !== client.processID) {
        await assertKeepsSession(client, target, () => openClient(host, target, {}));
      }
      await session.script(SETTINGS);
    } catch (error) {
      session.cut();
      throw error;
    }
    return session;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Statements without parameters, one after the other; the rows of each. Nothing else may wait. */
  async script(text: string, answerMs?: number): Promise<Row[][]> {
    try {
      const results = await this.#client.query({ text, query_timeout: answerMs });
      return (Array.isArray(results) ? results : [results]).map(({ rows }) => rows);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  /** Like {@link all}, but it waits for a statement that is wanted now, and goes before it. */
  ahead(text: string, ...values: SqlValue[]): Promise<Row[]> {
    const rows = this.#put(text, values).then((result) => result.rows);
    rows.catch(() => {}); // whoever sends the next one is told of the same error
    return rows;
  }

  // None of them is async: what cannot be sent is thrown at once, before anything else goes along.

  all(text: string, ...values: SqlValue[]): Promise<Row[]> {
    return this.#run(text, values).then(({ rows }) => rows);
  }

  get(text: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return this.#run(text, values).then(({ rows }) => rows[0]);
  }

  run(text: string, ...values: SqlValue[]): Promise<number> {
    return this.#run(text, values).then(({ rowCount }) => rowCount ?? 0);
  }

  /** Sends what waits, together with what is asked for in this turn. */
  flush(): void {
    if (this.#isAnyWanted || this.#waiting.length === 0) return;
    this.#isAnyWanted = true;
    if (!this.#isSending) queueMicrotask(() => void this.#send());
  }

  /** Does all of the work in this session, or nothing of it. Not for the writer, which does it in fewer trips. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.script("BEGIN");
    try {
      const result = await work();
      await this.script("COMMIT");
      return result;
    } catch (error) {
      if (!this.#isLost && !isLost(error)) await this.script("ROLLBACK").catch(() => {});
      throw error;
    }
  }

  /** Ends it politely. */
  async close(): Promise<void> {
    if (this.#isLost) return this.cut();
    this.#isLost = true;
    // Deno 2.4 does not notice the end of a connection with TLS.
    const patienceMs = this.#opened.isTls ? TLS_END_MS : ANSWER_MS;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, patienceMs));
    await Promise.race([this.#client.end().catch(() => {}), late]);
    clearTimeout(timer);
    this.#opened.cut();
  }

  /** Ends it at once; whatever is under way fails. */
  cut(): void {
    this.#isLost = true;
    this.#opened.cut();
  }

  #run(text: string, values: readonly SqlValue[]): Promise<Result> {
    const result = this.#put(text, values);
    this.flush();
    return result;
  }

  #put(text: string, values: readonly SqlValue[]): Promise<Result> {
    const statement = { text, values: values.map(encoded), name: nameOf(text) };
    return new Promise((resolve, reject) => this.#waiting.push({ statement, resolve, reject }));
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#isAnyWanted) {
      this.#isAnyWanted = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      const statements = waiting.map(({ statement }) => statement);
      const parserOfType = (type: number) => parserOf(this.#driver, type);
      const group = new StatementGroup(statements, this.#prepared, parserOfType);
      try {
        this.#client.query(group);
        const results = await group.done;
        for (const [index, { resolve }] of waiting.entries()) resolve(results[index]!);
      } catch (error) {
        const noted = this.#noted(error);
        for (const [index, { resolve, reject }] of waiting.entries()) {
          const result = group.results[index]; // of those before the one that failed
          if (result === undefined) reject(noted);
          else resolve(result);
        }
      }
    }
    this.#isSending = false;
  }

  #noted(error: unknown): unknown {
    if (isSilence(error)) this.isSilent = true;
    return error;
  }
}

/** @throws {NoWay} when it is no server for a queue. */
function assertServes(greeting: Row): void {
  if ((greeting["version_number"] as number) < OLDEST * 10_000) {
    throw new NoWay(`the server is PostgreSQL ${greeting["version"]}; expected ${OLDEST} or later`);
  }
  if (greeting["encoding"] !== "UTF8") {
    throw new NoWay(
      `the encoding of the database is ${greeting["encoding"]}, which cannot hold every text; ` +
        "expected UTF8 (createdb --encoding=UTF8 --template=template0)",
    );
  }
}

const [INT8, INT8_ARRAY, NUMERIC, BYTEA] = [20, 1016, 1700, 17];

type Parser = (text: string) => Row[string];

/** Twice as fast as the driver's way, where the runtime has it: Deno 2.9 does, 2.4 does not. */
const { fromHex } = Uint8Array as { fromHex?: (hex: string) => Uint8Array<ArrayBuffer> };

interface Driver {
  readonly types: { getTypeParser(oid: number, format: string): Parser };
}

/** All whole numbers here are safe integers: times in milliseconds, counters. */
function parserOf(pg: Driver, oid: number): Parser {
  if (oid === INT8 || oid === NUMERIC) return Number;
  if (oid === INT8_ARRAY) return (text) => JSON.parse(`[${text.slice(1, -1)}]`);
  const parse = pg.types.getTypeParser(oid, "text");
  if (oid !== BYTEA) return parse;
  return (text) =>
    fromHex !== undefined && text.startsWith("\\x") // but for servers with `bytea_output = escape`
      ? fromHex(text.slice(2))
      : new Uint8Array(parse(text) as Uint8Array);
}
