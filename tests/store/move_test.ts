/** Queues are moved from file to file, and every table of the schema is accounted for. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConflictError, StoreUnavailableError } from "../../src/job/errors.ts";
import { SCHEMA_VERSION } from "../../src/store/sqlite/migrate.ts";
import { MOVED_TABLES, OTHER_TABLES } from "../../src/store/shared/tables.ts";
import { eventually } from "../helpers/eventually.ts";
import { tempFile } from "./file_place.ts";
import { assertRefused, fill, move, movingSuite, open, type Place } from "./moving.ts";

movingSuite("file to file", { here: tempFile, there: tempFile });

Deno.test("what becomes of each table and column of a file in a move is said", async () => {
  await using file = await tempFile();
  await (await open(file))[Symbol.asyncDispose]();
  const database = new DatabaseSync(file.db);
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    .map((row) => row["name"] as string);
  const moved = new Map(MOVED_TABLES.map(({ name, columns }) => [name, columns]));
  const strays = tables.filter((name) => !moved.has(name) && !Object.hasOwn(OTHER_TABLES, name));
  assert.deepEqual(strays, [], "say in store/shared/tables.ts what becomes of them");
  for (const [name, columns] of moved) {
    const found = database.prepare(`PRAGMA table_info(${name})`).all()
      .map((row) => [row["name"], TYPES[row["type"] as string]]);
    // Payloads are one column here, of either type.
    const said = Object.entries(columns).filter(([column]) => column !== "payload_bytes");
    assert.deepEqual(new Map(found as [string, string][]), new Map(said), name);
  }
  database.close();
});

const TYPES: Readonly<Record<string, string>> = {
  TEXT: "text",
  INTEGER: "integer",
  REAL: "real",
  BLOB: "bytes",
  ANY: "text",
};

Deno.test("a file that another process has open is not moved, and the message names it", async () => {
  await using from = await tempFile();
  await using to = await tempFile();
  await fill(from);
  await Deno.writeTextFile(join(from.dir, "hold.ts"), HOLD);
  const holder = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "hold.ts", "--to=postgres://ann:geheim@h/q"],
    cwd: from.dir,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const reader = holder.stdout.getReader();
    await reader.read(); // it has it open
    reader.releaseLock();
    await assert.rejects(move(from, to), (error) => {
      assert.ok(error instanceof ConflictError, String(error));
      assert.match(error.message, new RegExp(`is in use: open in process ${holder.pid} \\(deno`));
      assert.match(error.message, /hold\.ts --to=postgres:\/\/ann@h\/q\)/);
      return true;
    });
    assert.throws(() => Deno.statSync(to.db), Deno.errors.NotFound, "the new one is not made");
  } finally {
    holder.kill("SIGKILL");
    await holder.stdin.close().catch(() => {});
    await holder.stdout.cancel();
    await holder.status;
  }
  await eventually(() => move(from, to).then(() => true), { what: "it was moved" });
});

const HOLD = `
import { DatabaseSync } from "node:sqlite";
const database = new DatabaseSync("queue.db");
database.prepare("SELECT count(*) FROM jobs").get();
console.log("open");
await Deno.stdin.read(new Uint8Array(1));
`;

Deno.test("a queue that is given up meanwhile is not left", async () => {
  await using from = await tempFile();
  await using to = await tempFile();
  await fill(from);
  const onProgress = ({ step }: { step: string }) => {
    if (step === "checking") void from.execute("DELETE FROM transfer");
  };
  await assert.rejects(move(from, to, { onProgress }), /given up meanwhile/);
  await assertRefused(to, /is not complete/);
  await (await open(from))[Symbol.asyncDispose]();
});

Deno.test("the same file by another name is the same database", async () => {
  await using from = await tempFile();
  await fill(from);
  const db = join(from.dir, "link.db");
  await Deno.symlink(from.db, db);
  await assert.rejects(move(from, { ...from, db }), /name the same database/);
});

Deno.test("files that are no queue's, newer ones and those that may not be read say so", async () => {
  await using from = await tempFile();
  await using to = await tempFile();
  await fill(from);
  const refused = async (place: Place, message: RegExp) => {
    for (const one of [() => move(place, to), () => move(from, place)]) {
      await assert.rejects(one(), (error) => {
        assert.ok(error instanceof StoreUnavailableError, String(error));
        assert.match(error.message, message);
        return true;
      });
      await Deno.remove(to.db).catch(() => {});
    }
  };
  await using other = await tempFile();
  await Deno.writeTextFile(
    other.db,
    "no database at all, but a text that is long enough".repeat(9),
  );
  await refused(other, /it is not an SQLite database/);
  await using stranger = await tempFile();
  await stranger.execute("CREATE TABLE t (x)");
  await refused(stranger, /is a database of another program/);
  await using newer = await tempFile();
  await (await open(newer))[Symbol.asyncDispose]();
  await newer.execute(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  await refused(newer, /schema version \d+, but this queuectl speaks up to/);
  await refused({ ...other, db: other.dir }, /cannot use the database/);
  await using empty = await tempFile();
  await Deno.writeTextFile(empty.db, "");
  await assert.rejects(move(empty, to), /holds no queue: the file is empty/);
  await (await open(from))[Symbol.asyncDispose]();
});
