/**
 * The tables on a PostgreSQL server in a move: read and written as `shared/tables.ts` describes them.
 *
 * Invariant: a mark is set only between the transactions of all others, each of which looks for it at its
 * beginning; so nothing is written after it by anybody but the move.
 */
import { ConflictError, StoreUnavailableError } from "../../job/errors.ts";
import { mayBeAlive, thisHost } from "../../lib/process_identity.ts";
import {
  areKeysEqual,
  type ColumnType,
  countJobs,
  MOVED_TABLES,
  type MovedTable,
  NUMBERED,
  PAGE_ROWS,
  rowsThatFit,
} from "../shared/tables.ts";
import type { WorkerStatus } from "../store.ts";
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
import type { Session, Sql, SqlValue } from "./connection.ts";
import { isLost } from "./errors.ts";
import { changeMark, readMark, writeMark } from "./transfer_mark.ts";
import { enterTables, LOCKS, type Place } from "./migrate.ts";
import { Server } from "./server.ts";
import { channelOf, listenTo } from "./watch.ts";
import { allWorkers } from "./workers.ts";

/** A worker elsewhere that has not been heard of for so long has ended without saying so. */
const SILENT_MS = 60_000;

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
    if (isSource) await refuseNothing(session, server.shown);
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

async function refuseNothing(sql: Sql, shown: string): Promise<void> {
  const row = await sql.get(
    "SELECT 1 AS is_there FROM pg_class WHERE relname = 'queuectl_schema' " +
      "AND relnamespace = quote_ident(current_schema())::regnamespace",
  );
  if (row === undefined) throw new StoreUnavailableError(`the database ${shown} holds no queue`);
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
      // Those who have begun to write do so before, those who begin later see the mark.
      await sql.get(
        "SELECT pg_advisory_xact_lock($1::int, $2::int)",
        this.#place.lockSpace,
        LOCKS.follow,
      );
      const filled: string[] = [];
      for (const { name } of MOVED_TABLES) {
        if (await sql.get(`SELECT 1 AS is_any FROM ${name} LIMIT 1`) !== undefined) {
          filled.push(name);
        }
      }
      const users = await usersOf(this.#place, this.#server.clock.now(), sql);
      await writeMark(decide({ mark: await readMark(sql), users, filled }), sql);
    });
  }

  changeMark(mark: TransferMark, to: TransferState | null, nowMs: number): Promise<boolean> {
    return this.#transaction((sql) => changeMark(mark, { to, nowMs }, sql));
  }

  page(table: MovedTable, after: RowKey): Promise<TableRow[]> {
    return this.#use(async (sql) => {
      const names = Object.keys(table.columns);
      const from = SOURCES[table.name] ?? table.name;
      const key = quoted(table.key);
      const parameters: SqlValue[] = [...(after ?? [])];
      const since = after === null ? "" : `WHERE (${key}) > (${places(table, 1)})`;
      let upTo = "";
      if (table.large !== undefined) {
        const size = table.large.map((name) => `coalesce(octet_length("${name}"), 0)`).join(" + ");
        const sizes = await sql.all(
          `SELECT ${key}, ${size} AS page_bytes FROM ${from} ${since} ORDER BY ${key} LIMIT ${PAGE_ROWS}`,
          ...parameters,
        );
        if (sizes.length === 0) return [];
        const last = sizes[rowsThatFit(sizes.map((row) => row["page_bytes"] as number)) - 1]!;
        upTo = `${since === "" ? "WHERE" : "AND"} ` +
          `(${key}) <= (${places(table, parameters.length + 1)})`;
        parameters.push(...table.key.map((name) => last[name]!));
      }
      const rows = await sql.all(
        `SELECT ${quoted(names)} FROM ${from} ${since} ${upTo} ORDER BY ${key} LIMIT ${PAGE_ROWS}`,
        ...parameters,
      );
      return rows.map((row) => names.map((name) => row[name] as TableRow[number]));
    });
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
    return this.#use(async () => {
      await this.#session.script("BEGIN");
      try {
        const result = await work(this.#session);
        await this.#session.script("COMMIT");
        return result;
      } catch (error) {
        if (!isLost(error)) await this.#session.script("ROLLBACK").catch(() => {});
        throw error;
      }
    });
  }
}

/** Workers that live, and else those who listen, who may be anything. */
async function usersOf(place: Place, nowMs: number, sql: Sql): Promise<string[]> {
  const processes = new Map<string, WorkerStatus[]>();
  for (const worker of (await allWorkers(sql)).filter((one) => mayLive(one, nowMs))) {
    processes.set(worker.holder, [...processes.get(worker.holder) ?? [], worker]);
  }
  const users = [...processes.values()].map(([worker, ...others]) => {
    const where = worker!.host.split("/")[0] || "another machine";
    const { length } = [worker, ...others];
    return `process ${worker!.pid} on ${where} (${worker!.role}, ${length} worker${
      length === 1 ? "" : "s"
    })`;
  });
  if (users.length > 0) return users;
  const listeners = await sql.all(
    "SELECT pid, coalesce(host(client_addr), 'a local socket') AS address FROM pg_stat_activity " +
      "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query = $1",
    listenTo(channelOf(place)),
  );
  return listeners.map((row) => `a queuectl at ${row["address"]} (session ${row["pid"]})`);
}

function mayLive(
  { host, pid, processStart, heartbeatAtMs }: WorkerStatus,
  nowMs: number,
): boolean {
  if (host === thisHost()) return mayBeAlive(pid, processStart);
  return heartbeatAtMs > nowMs - SILENT_MS;
}

async function lastKey(table: MovedTable, sql: Sql): Promise<RowKey> {
  const backwards = table.key.map((name) => `"${name}" DESC`).join(", ");
  const row = await sql.get(
    `SELECT ${quoted(table.key)} FROM ${table.name} ORDER BY ${backwards} LIMIT 1`,
  );
  return row === undefined ? null : table.key.map((name) => row[name] as TableRow[number]);
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

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function places(table: MovedTable, first: number): string {
  return table.key.map((_, index) => `$${first + index}`).join(", ");
}
