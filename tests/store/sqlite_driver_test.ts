/**
 * The setting `sqlite-driver=ffi`: the store on a module with the interface of `@db/sqlite`. The
 * module itself is not at hand on every machine, so a stand-in with its interface, written over
 * `node:sqlite`, takes its place; the whole seam must work through it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { StoreUnavailableError } from "../../src/job/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { tempStore } from "../helpers/temp_store.ts";
import { claimOne, EXIT_ERROR, find, settleOne } from "./conformance/harness.ts";

const MODULE = "QUEUECTL_SQLITE_MODULE";

/** The part of `@db/sqlite` that programs use: rows as plain objects, `run` gives changed rows. */
const STAND_IN = `
import { DatabaseSync } from "node:sqlite";
export class Database {
  #database;
  constructor(path, options = {}) {
    globalThis.standInOpened = [...(globalThis.standInOpened ?? []), [String(path), options]];
    this.#database = new DatabaseSync(path);
  }
  exec(sql) { this.#database.exec(sql); return 0; }
  prepare(sql) {
    const statement = this.#database.prepare(sql);
    return {
      run: (...parameters) => Number(statement.run(...parameters).changes),
      get: (...parameters) => { const row = statement.get(...parameters); return row && { ...row }; },
      all: (...parameters) => statement.all(...parameters).map((row) => ({ ...row })),
      finalize() {},
    };
  }
  close() { this.#database.close(); }
}
`;

async function withModule<T>(specifier: string, run: () => Promise<T>): Promise<T> {
  const before = Deno.env.get(MODULE);
  Deno.env.set(MODULE, specifier);
  try {
    return await run();
  } finally {
    if (before === undefined) Deno.env.delete(MODULE);
    else Deno.env.set(MODULE, before);
  }
}

Deno.test("sqlite-driver=ffi: the store works on a module with the interface of @db/sqlite", async () => {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  try {
    const file = join(dir, "stand_in.js");
    await Deno.writeTextFile(file, STAND_IN);
    await withModule(pathToFileURL(file).href, async () => {
      await using temp = await tempStore({ driver: "ffi" });
      const { store } = temp;
      await store.add([newJob({ id: "a", payload: new Uint8Array([0, 1, 0]) }), newJob()], T0);
      const job = await claimOne(store);
      assert.deepEqual([...(job.payload as Uint8Array)], [0, 1, 0]);
      await settleOne(store, job, { event: "fail", error: EXIT_ERROR, dueAtMs: T0 });
      assert.equal((await find(store, "a")).state, "failed");
      assert.equal((await store.stats(T0)).counts.pending, 1);
      const opened = (globalThis as { standInOpened?: unknown[] }).standInOpened;
      assert.deepEqual(opened, [[temp.path, { int64: true }]]);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("sqlite-driver=ffi: without the module the message says what to install", async () => {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  try {
    await withModule("file:///nowhere/sqlite.js", () =>
      assert.rejects(
        openStore({
          db: join(dir, "queue.db"),
          driver: "ffi",
          clock: Date.now,
          synchronous: () => "full",
        }),
        (error) => {
          assert.ok(error instanceof StoreUnavailableError, String(error));
          assert.match(error.message, /file:\/\/\/nowhere\/sqlite\.js/);
          assert.match(error.message, /jsr:@db\/sqlite/);
          assert.match(error.message, /sqlite-driver=builtin/);
          assert.match(error.message, /QUEUECTL_SQLITE_MODULE/);
          return true;
        },
      ));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
