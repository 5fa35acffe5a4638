/**
 * The tables on a PostgreSQL server in a move: read and written as `shared/tables.ts` describes them.
 *
 * Invariant: a mark is set only while no other process has a session that works on the tables, and each
 * looks for it when it begins; so nobody but the move reads or writes after it.
 */
import { ConflictError, StoreUnavailableError } from "../../job/errors.ts";
import {
  areKeysEqual,
  type ColumnType,
  countJobs,
  MOVED_TABLES,
  type MovedTable,
  NUMBERED,
} from "../shared/tables.ts";
import { keyFromRow, quoted, readPage, selectLastKey } from "../shared/table_pages.ts";
import type {
  LastNumbers,
  PutStep,
  RowKey,
  Standing,
  TableRow,
  TransferMark,
  TransferSide,
  TransferState,
} from "../transfer.ts";
import type { Session, Sql } from "./connection.ts";
import { othersWhoStay } from "./generation.ts";
import { enterTables, findTables, type Place } from "./migrate.ts";
import { Server } from "./server.ts";
import { changeMark, readMark, writeMark } from "./transfer_mark.ts";

/** Where rows come from, where that is not simply their table. */
const SOURCES: Readonly<Record<string, string>> = {
  throughput: "(SELECT bucket, what, sum(jobs)::bigint AS jobs FROM throughput " +
    "GROUP BY bucket, what) AS summed",
};

const ARRAY_TYPES: Readonly<Record<ColumnType, string>> = {
  text: "text[]",
  integer: "bigint[]",
  real: "float8[]",
  bytes: "bytea[]",
};

/** Opens the tables, which are made as needed; but where a queue comes from, they must be there. */
export async function openPostgresSide(
  { url, isSource }: { url: string; isSource: boolean },
): Promise<TransferSide> {
  const server = new Server(url);
  const session = await server.open();
  try {
    if (isSource && !(await findTables(session)).isOurs) {
      throw new StoreUnavailableError(`the database ${server.shown} holds no queue`);
    }
    const place = await enterTables(session, server);
    if (place.isNewer) {
      throw new StoreUnavailableError(
        `a newer queuectl has added to the database ${server.shown} what this one does not know, and ` +
          "would leave behind; use the newest that has worked with it",
      );
    }
    const row = (await session.get(
      "SELECT concat_ws(' ', 'postgres', pg_postmaster_start_time(), current_database(), " +
        "current_schema()) AS identity",
    ))!;
    return new PostgresSide(session, { server, place, identity: row["identity"] as string });
  } catch (error) {
    await session.close();
    throw server.told(error);
  }
}

class PostgresSide implements TransferSide {
  readonly identity: string;
  readonly #session: Session;
  readonly #server: Server;
  readonly #place: Place;

  constructor(
    session: Session,
    { server, place, identity }: { server: Server; place: Place; identity: string },
  ) {
    this.#session = session;
    this.#server = server;
    this.#place = place;
    this.identity = identity;
  }

  get shown(): string {
    return this.#server.shown;
  }

  exclusively(decide: (standing: Standing) => TransferMark | null): Promise<void> {
    return this.#transaction(async (sql) => {
      const users = await othersWhoStay(this.#place.generation, {
        session: this.#session,
        place: this.#place,
      });
      const filled: string[] = [];
      for (const { name } of MOVED_TABLES) {
        if (await sql.get(`SELECT 1 AS is_any FROM ${name} LIMIT 1`) !== undefined) {
          filled.push(name);
        }
      }
      await writeMark(decide({ mark: await readMark(sql), users, filled }), sql);
    });
  }

  changeMark(mark: TransferMark, to: TransferState | null, nowMs: number): Promise<boolean> {
    return this.#transaction((sql) => changeMark(mark, { to, nowMs }, sql));
  }

  page(table: MovedTable, after: RowKey): Promise<TableRow[]> {
    return this.#use((sql) =>
      readPage(table, after, {
        from: SOURCES[table.name] ?? table.name,
        placeholder: (number) => `$${number}`,
        all: (text, parameters) => sql.all(text, ...parameters),
      })
    );
  }

  lastKey(table: MovedTable): Promise<RowKey> {
    return this.#use((sql) => lastKey(table, sql));
  }

  put(table: MovedTable, rows: readonly TableRow[], { after, id }: PutStep): Promise<void> {
    return this.#transaction(async (sql) => {
      const ours = await sql.get(
        "SELECT 1 AS is_ours FROM transfer WHERE id = $1 AND state = 'arriving' FOR UPDATE",
        id,
      );
      if (ours === undefined || !areKeysEqual(await lastKey(table, sql), after)) {
        throw new ConflictError(`another process has changed the database ${this.shown} meanwhile`);
      }
      const columns = Object.entries(table.columns);
      const arrays = columns.map(([, type], index) => `$${index + 1}::${ARRAY_TYPES[type]}`);
      await sql.run(
        `INSERT INTO ${table.name} (${quoted(columns.map(([name]) => name))}) ` +
          `SELECT * FROM unnest(${arrays.join(", ")})`,
        ...columns.map((_, index) => rows.map((row) => row[index]!)),
      );
      if (table.name === "jobs") await addCounts(table, rows, sql);
    });
  }

  lastNumbers(): Promise<LastNumbers> {
    return this.#use(async (sql) => {
      const numbers: Record<string, number> = {};
      for (const name of NUMBERED) numbers[name] = await lastNumber(name, sql);
      return numbers;
    });
  }

  setLastNumbers(numbers: LastNumbers): Promise<void> {
    return this.#transaction(async (sql) => {
      for (const name of NUMBERED) {
        if (name === "events") {
          await sql.run("UPDATE meta SET value = $1 WHERE key = 'events_last'", numbers[name]!);
        } else await setSequence(await sequenceOf(name, sql), numbers[name]!, sql);
      }
      const row = await sql.get("SELECT coalesce(max(chunk), 0) AS last FROM output");
      await setSequence(await sequenceOf("output", sql), row!["last"] as number, sql);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close();
  }

  async #use<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    try {
      return await work(this.#session);
    } catch (error) {
      throw this.#server.told(error);
    }
  }

  #transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#use((sql) => this.#session.inTransaction(() => work(sql)));
  }
}

async function lastKey(table: MovedTable, sql: Sql): Promise<RowKey> {
  return keyFromRow(table, await sql.get(selectLastKey(table)));
}

async function addCounts(table: MovedTable, rows: readonly TableRow[], sql: Sql): Promise<void> {
  const counts = countJobs(table, rows);
  await sql.run(
    "INSERT INTO counts (queue, state, jobs) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])",
    counts.map(({ queue }) => queue),
    counts.map(({ state }) => state),
    counts.map(({ jobs }) => jobs),
  );
}

async function lastNumber(name: (typeof NUMBERED)[number], sql: Sql): Promise<number> {
  if (name === "events") {
    const row = await sql.get("SELECT value FROM meta WHERE key = 'events_last'");
    return row!["value"] as number;
  }
  const row = await sql.get(`SELECT last_value, is_called FROM ${await sequenceOf(name, sql)}`);
  return row!["is_called"] === true ? row!["last_value"] as number : 0;
}

async function sequenceOf(table: string, sql: Sql): Promise<string> {
  const { key } = MOVED_TABLES.find(({ name }) => name === table)!;
  const row = await sql.get("SELECT pg_get_serial_sequence($1, $2) AS name", table, key[0]!);
  return row!["name"] as string;
}

async function setSequence(sequence: string, last: number, sql: Sql): Promise<void> {
  await sql.get(
    "SELECT setval($1::text::regclass, $2::bigint, $3::boolean) AS done",
    sequence,
    Math.max(1, last),
    last > 0,
  );
}
