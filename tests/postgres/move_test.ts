/** Queues are moved from a file to a server and back, and from server to server. */
import assert from "node:assert/strict";
import { ConflictError, StoreUnavailableError } from "../../src/job/errors.ts";
import { MOVED_TABLES, OTHER_TABLES } from "../../src/store/shared/tables.ts";
import type { WorkerRecord } from "../../src/store/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { execute, type PostgresServer, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { tempFile } from "../store/file_place.ts";
import { move, movingSuite, open, type Place } from "../store/moving.ts";

async function tempTables(server: PostgresServer): Promise<Place> {
  const { url, ...schema } = await tempSchema(server);
  return {
    db: url,
    execute: async (sql) => void await execute(url, sql),
    [Symbol.asyncDispose]: schema[Symbol.asyncDispose],
  };
}

const server = await startPostgres();
if (server !== null) proveMoves(server);

function proveMoves(server: PostgresServer): void {
  const tables = () => tempTables(server);
  movingSuite("file to server", { here: tempFile, there: tables });
  movingSuite("server to server", { here: tables, there: tables });

  Deno.test("what becomes of each table and column of a server in a move is said", async () => {
    await using place = await tables();
    await (await open(place))[Symbol.asyncDispose]();
    const rows = await execute(
      place.db,
      "SELECT table_name, column_name, data_type FROM information_schema.columns " +
        "WHERE table_schema = current_schema() AND is_generated = 'NEVER'",
    );
    const moved = new Map(MOVED_TABLES.map(({ name, columns }) => [name, columns]));
    const names = new Set(rows.map((row) => row["table_name"] as string));
    const strays = [...names].filter((name) =>
      !moved.has(name) && !Object.hasOwn(OTHER_TABLES, name)
    );
    assert.deepEqual(strays, [], "say in store/shared/tables.ts what becomes of them");
    for (const [name, columns] of moved) {
      const found = rows.filter((row) => row["table_name"] === name)
        .map((row) => [row["column_name"], TYPES[row["data_type"] as string]]);
      assert.deepEqual(
        new Map(found as [string, string][]),
        new Map(Object.entries(columns)),
        name,
      );
    }
  });

  Deno.test("tables that a process has open are not moved, and the message names it", async () => {
    await using from = await tables();
    await using to = await tempFile();
    const inUse = (by: RegExp) =>
      assert.rejects(move(from, to), (error) => {
        assert.ok(error instanceof ConflictError, String(error));
        assert.match(error.message, by);
        return true;
      });
    {
      await using store = await open(from);
      await inUse(/is in use by 1 connection from 127\.0\.0\.1; stop what uses it/);
      const worker: WorkerRecord = {
        ...{ holder: "h", label: "w-1", pid: 4711, host: "far.example/boot/ns", role: "worker" },
        ...{ status: "idle", restarts: 0, startedAtMs: T0, processStart: "1" },
      };
      await store.saveWorkers([worker, { ...worker, label: "w-2" }], Date.now());
      await inUse(/is in use by worker \(process 4711 on far\.example\), 1 connection from/);
    }
    await move(from, to);
  });

  Deno.test("a process that was cut off when the queue was moved neither reads nor writes", async () => {
    await using from = await tables();
    await using to = await tables();
    await using store = await open(from);
    await store.add([newJob({ id: "before" })], T0);
    const sessions = "FROM pg_locks WHERE locktype = 'advisory' AND " +
      "classid = (hashtext('queuectl:' || current_schema())::bigint & 4294967295)::oid";
    await from.execute(`SELECT pg_terminate_backend(pid) ${sessions}`);
    await eventually(
      async () => (await execute(from.db, `SELECT pid ${sessions}`)).length === 0,
      { what: "the process was cut off" },
    );
    await move(from, to);
    for (const use of [() => store.add([newJob({ id: "late" })], T0), () => store.find("before")]) {
      await assert.rejects(use(), (error) => {
        assert.ok(error instanceof StoreUnavailableError, String(error));
        assert.match(error.message, /was moved to/);
        return true;
      });
    }
    await using there = await open(to);
    assert.ok(await there.find("before"));
    assert.equal(await there.find("late"), null);
  });

  Deno.test("tables that a newer queuectl has added something to are not moved by this one", async () => {
    await using from = await tables();
    await using to = await tempFile();
    await (await open(from))[Symbol.asyncDispose]();
    await from.execute("UPDATE queuectl_schema SET version = version + 1");
    await assert.rejects(
      move(from, to),
      /a newer queuectl has added to the database .* would leave behind/,
    );
  });
}

const TYPES: Readonly<Record<string, string>> = {
  "text": "text",
  "bigint": "integer",
  "integer": "integer",
  "double precision": "real",
  "bytea": "bytes",
};
