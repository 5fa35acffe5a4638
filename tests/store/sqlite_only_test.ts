/**
 * What the SQLite store promises beyond the seam: durability as asked, one schema, honest refusals,
 * claims that never scan, patience with locks, recovery from a full disk. Looks at the file through
 * a connection of its own.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailableError } from "../../src/job/errors.ts";
import { type OpenOptions, openStore } from "../../src/store/open.ts";
import { type Connection, openConnection } from "../../src/store/sqlite/connection.ts";
import { prepareClaim } from "../../src/store/sqlite/claim.ts";
import { prepareLanes } from "../../src/store/sqlite/lanes.ts";
import { APPLICATION_ID, SCHEMA_VERSION } from "../../src/store/sqlite/migrate.ts";
import { Journal } from "../../src/store/sqlite/journal.ts";
import { TransactionCounts } from "../../src/store/sqlite/transaction_counts.ts";
import { switchToWal } from "../../src/store/sqlite/open.ts";
import { ChangeWatch } from "../../src/store/sqlite/watch.ts";
import { eventually } from "../helpers/eventually.ts";
import { newExtras, newJob, newJobs, T0, withKey } from "../helpers/jobs.ts";
import { tempStore } from "../helpers/temp_store.ts";
import { claimJobs, claimOne, LEASE_MS, listAll, reap, settleOne } from "./conformance/harness.ts";

function open(path: string, options: Partial<OpenOptions> = {}) {
  return openStore({
    db: path,
    driver: "builtin",
    clock: Date.now,
    synchronous: () => "full",
    ...options,
  });
}

/** Asks the file itself. */
function inspect<T>(path: string, look: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    return look(database);
  } finally {
    database.close();
  }
}

async function withTempDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Opening must fail with a message for people that names the file. */
async function assertRefused(path: string, message: RegExp): Promise<void> {
  await assert.rejects(open(path), (error) => {
    assert.ok(error instanceof StoreUnavailableError, String(error));
    assert.equal(error.code, "store-unavailable");
    assert.match(error.message, message);
    assert.ok(error.message.includes(path), `"${error.message}" does not name ${path}`);
    return true;
  });
}

Deno.test("sqlite: the database is in WAL mode", async () => {
  await using temp = await tempStore();
  const mode = inspect(temp.path, (database) => database.prepare("PRAGMA journal_mode").get());
  assert.deepEqual({ ...mode }, { journal_mode: "wal" });
});

Deno.test("sqlite: the file can give space back when history is deleted", async () => {
  await using temp = await tempStore();
  const mode = inspect(temp.path, (database) => database.prepare("PRAGMA auto_vacuum").get());
  assert.deepEqual({ ...mode }, { auto_vacuum: 2 });
});

Deno.test("sqlite: commits reach the disk before they are acknowledged, unless told otherwise", async () => {
  for (const [synchronous, expected] of [["full", 2], ["normal", 1]] as const) {
    const asked: unknown[] = [];
    await withTempDir(async (dir) => {
      const path = join(dir, "queue.db");
      const first = await open(path);
      await first.configSet("synchronous", synchronous);
      await first[Symbol.asyncDispose]();
      const statements = await spyOnPragmas(async () => {
        const store = await open(path, {
          synchronous: (stored) => {
            asked.push(stored.get("synchronous"));
            return synchronous;
          },
        });
        await store[Symbol.asyncDispose]();
      });
      assert.deepEqual(asked, [synchronous], "the setting kept in the database was not asked");
      assert.equal(statements.at(-1), expected, `synchronous=${synchronous}`);
    });
  }
});

/** The values of `PRAGMA synchronous` after each time that something has set it. */
async function spyOnPragmas(run: () => Promise<void>): Promise<number[]> {
  const seen: number[] = [];
  const exec = DatabaseSync.prototype.exec;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    exec.call(this, sql);
    if (/synchronous\s*=/i.test(sql)) {
      seen.push(this.prepare("PRAGMA synchronous").get()!["synchronous"] as number);
    }
  };
  try {
    await run();
  } finally {
    DatabaseSync.prototype.exec = exec;
  }
  return seen;
}

Deno.test("sqlite: every table is STRICT", async () => {
  await using temp = await tempStore();
  const tables = inspect(temp.path, (database) =>
    database.prepare(
      "SELECT name, strict FROM pragma_table_list " +
        "WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'",
    ).all());
  assert.ok(tables.length >= 5);
  for (const { name, strict } of tables) assert.equal(strict, 1, String(name));
});

Deno.test("sqlite: times and numbers are stored as whole numbers", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob()], Date.now());
  const types = inspect(
    temp.path,
    (database) =>
      database.prepare(
        "SELECT typeof(run_at) AS a, typeof(created_at) AS b, typeof(priority) AS c FROM jobs",
      )
        .get(),
  );
  assert.deepEqual({ ...types }, { a: "integer", b: "integer", c: "integer" });
});

Deno.test("sqlite: the file belongs to its owner alone", async () => {
  await using temp = await tempStore();
  const { mode } = await Deno.stat(temp.path);
  assert.equal(mode! & 0o777, 0o600);
});

Deno.test("sqlite: the schema has its number, and the file the mark of this program", async () => {
  await using temp = await tempStore();
  inspect(temp.path, (database) => {
    const version = database.prepare("PRAGMA user_version").get()!["user_version"];
    assert.equal(version, SCHEMA_VERSION);
    assert.ok(SCHEMA_VERSION >= 1);
    const mark = database.prepare("PRAGMA application_id").get()!["application_id"];
    assert.equal(mark, APPLICATION_ID);
  });
});

Deno.test("sqlite: opening again migrates nothing and keeps everything", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob({ id: "kept" })], T0);
  const schema = () =>
    inspect(
      temp.path,
      (database) => database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all(),
    );
  const before = schema();
  for (let round = 0; round < 3; round++) await temp.openAgain();
  assert.deepEqual(schema(), before);
  assert.ok(await temp.store.find("kept"));
});

Deno.test("sqlite: many processes that open a new file at once all succeed", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "queue.db");
    const connection = new URL("../../src/store/open.ts", import.meta.url).href;
    const script = `import { openStore } from ${JSON.stringify(connection)};
      const store = await openStore({ db: ${JSON.stringify(path)}, driver: "builtin",
        clock: Date.now, synchronous: () => "full" });
      await store[Symbol.asyncDispose]();
      console.log("opened");`;
    const file = join(dir, "open.ts");
    await Deno.writeTextFile(file, script);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const runs = await Promise.all(
      Array.from({ length: 4 }, () =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--quiet", "--no-check", "--config", config, file],
        }).output()),
    );
    for (const { stdout, stderr } of runs) {
      assert.equal(new TextDecoder().decode(stdout), "opened\n", new TextDecoder().decode(stderr));
    }
  });
});

Deno.test("sqlite: a new file is switched to WAL once nobody is just writing to it", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "queue.db");
    const writer = new DatabaseSync(path);
    writer.exec("CREATE TABLE t (a)");
    const connection = await openConnection(path, "builtin");
    writer.exec("BEGIN IMMEDIATE");
    const switching = switchToWal(connection); // has tried when it returns
    switching.catch(() => {}); // awaited below
    writer.exec("ROLLBACK");
    await switching;
    const { journal_mode: mode } = connection.prepare("PRAGMA journal_mode").get()!;
    assert.equal(mode, "wal");
    connection.close();
    writer.close();
  });
});

Deno.test("sqlite: an empty file is taken for a new database", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "empty.db");
    await Deno.writeFile(path, new Uint8Array());
    await using store = await open(path);
    assert.deepEqual(await listAll(store), []);
  });
});

Deno.test("sqlite: a newer schema is refused, with what to do, and left as it was", async () => {
  const temp = await tempStore();
  try {
    await temp.store[Symbol.asyncDispose]();
    const newer = SCHEMA_VERSION + 1;
    inspect(temp.path, (database) => database.exec(`PRAGMA user_version = ${newer}`));
    await assertRefused(temp.path, new RegExp(`schema version ${newer}.*newer queuectl`));
    const version = inspect(temp.path, (database) => database.prepare("PRAGMA user_version").get());
    assert.deepEqual({ ...version }, { user_version: newer });
  } finally {
    await temp[Symbol.asyncDispose]();
  }
});

Deno.test("sqlite: a file that is no database is refused and left as it was", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "notes.txt");
    const text = "no database at all\n".repeat(500);
    await Deno.writeTextFile(path, text);
    await assertRefused(path, /not an SQLite database/);
    assert.equal(await Deno.readTextFile(path), text);
  });
});

Deno.test("sqlite: another program's database is refused and left as it was", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "other.db");
    inspect(
      path,
      (database) => database.exec("CREATE TABLE jobs (a); INSERT INTO jobs VALUES (1)"),
    );
    await assertRefused(path, /another program/);
    inspect(path, (database) => {
      const rows = database.prepare("SELECT * FROM jobs").all().map((row) => ({ ...row }));
      assert.deepEqual(rows, [{ a: 1 }]);
      const mode = database.prepare("PRAGMA journal_mode").get()!["journal_mode"];
      assert.equal(mode, "delete", "the foreign database was switched to WAL");
    });
  });
});

Deno.test("sqlite: a directory is refused", async () => {
  await withTempDir((dir) => assertRefused(dir, /it is a directory/));
});

Deno.test("sqlite: a missing directory is refused", async () => {
  await withTempDir((dir) =>
    assertRefused(join(dir, "missing", "queue.db"), /its directory does not exist/)
  );
});

Deno.test("sqlite: a damaged database is refused", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "queue.db");
    const store = await open(path);
    await store.add(newJobs(200), T0);
    await store[Symbol.asyncDispose]();
    const bytes = await Deno.readFile(path);
    bytes.fill(0xaa, 100, 4_096);
    await Deno.writeFile(path, bytes);
    await assertRefused(path, /damaged|not an SQLite database/);
  });
});

Deno.test("sqlite: once a damaged page was met, nothing more is acknowledged; reads go on", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "queue.db");
    const before = await open(path);
    const jobs = newJobs(500).map((job) => ({ ...job, payload: `"${job.id}${"x".repeat(300)}"` }));
    await before.add(jobs, T0);
    await before[Symbol.asyncDispose]();
    const bytes = await Deno.readFile(path);
    const inMiddle = Buffer.from(bytes.buffer).indexOf(jobs[250]!.payload);
    const page = inMiddle - inMiddle % 4_096;
    bytes.fill(0xa5, page, page + 4_096);
    await Deno.writeFile(path, bytes);
    await using store = await open(path);
    const [first] = (await store.list({ limit: 1 })).jobs;
    await store.add([newJob({ id: "unaware" })], T0);
    await assert.rejects(listAll(store), StoreUnavailableError);
    await assert.rejects(store.add([newJob()], T0), /damaged and takes no more jobs.*recover/);
    assert.equal((await store.find(first!.id))?.id, first!.id);
  });
});

Deno.test({
  name: "sqlite: a read-only file is refused",
  // Root may write everything; for root, disk_full_test.ts tries it with a read-only disk.
  ignore: Deno.uid() === 0,
  fn: () =>
    withTempDir(async (dir) => {
      const path = join(dir, "queue.db");
      await (await open(path))[Symbol.asyncDispose]();
      await Deno.chmod(path, 0o400);
      await assertRefused(path, /read-only|permission denied/);
    }),
});

Deno.test("sqlite: a file deleted while it is open is noticed: nothing is acknowledged into the void", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob()], T0);
  await Deno.remove(temp.path);
  await eventually(
    () =>
      temp.store.add([newJob()], T0).then(() => false, (error) => {
        assert.ok(error instanceof StoreUnavailableError, String(error));
        return error.message.includes(temp.path) && /deleted/.test(error.message);
      }),
    { what: "a write was refused because the file is gone", everyMs: 100 },
  );
});

Deno.test("sqlite: a file replaced while it is open is noticed", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob()], T0);
  await Deno.rename(temp.path, join(temp.dir, "moved.db"));
  await Deno.writeFile(temp.path, new Uint8Array());
  await eventually(
    () => temp.store.probe(T0).then(() => false, (error) => /replaced/.test(error.message)),
    { what: "a write was refused because the file was replaced", everyMs: 100 },
  );
});

/** Every statement that the given work runs, in the order in which they were prepared. */
async function statementsOf(
  path: string,
  work: (connection: Connection) => void,
): Promise<string[]> {
  const connection = await openConnection(path, "builtin");
  const ran = new Set<string>();
  try {
    work({
      ...connection,
      prepare(sql) {
        const statement = connection.prepare(sql);
        return {
          run: (...parameters) => (ran.add(sql), statement.run(...parameters)),
          get: (...parameters) => (ran.add(sql), statement.get(...parameters)),
          all: (...parameters) => (ran.add(sql), statement.all(...parameters)),
        };
      },
    });
  } finally {
    connection.close();
  }
  return [...ran];
}

Deno.test("sqlite: a claim scans no table and sorts nothing, and finds jobs by the partial index", async () => {
  await using temp = await tempStore();
  await temp.store.add(
    [
      ...newJobs(40),
      newJob({ payload: new Uint8Array(9_000), priority: 1 }),
      ...newJobs(100, withKey("ann")),
    ],
    T0,
  );
  const rules = { maxRunning: 1_000, rate: { limit: 1_000, periodMs: 1_000 }, keyMaxRunning: 9 };
  await temp.store.changeQueue("default", rules, T0);
  const statements = await statementsOf(temp.path, (connection) => {
    const claim = prepareClaim(connection, prepareLanes(connection));
    const claimed = claim({
      holder: "process-a",
      nowMs: T0,
      leaseExpiresAtMs: T0 + LEASE_MS,
      slots: ["w-1", "w-2"],
      chunk: { count: 10 },
      chunkBytes: 1_000_000,
    }, new TransactionCounts(connection, new Journal(connection, () => T0)));
    assert.equal(claimed.slots.length, 2);
  });
  assert.ok(statements.length >= 3, statements.join("\n"));
  const plans = inspect(temp.path, (database) =>
    statements.map((sql) => ({
      sql,
      plan: database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
        .map((row) => String(row["detail"])),
    })));
  for (const { sql, plan } of plans) {
    for (const step of plan) {
      assert.doesNotMatch(step, /TEMP B-TREE/, `${sql}\n${plan.join("\n")}`);
      // Limits: a row for each queue of which something was said; empty for most people.
      const isSmall =
        /^SCAN (json_each|queue_limits|jobs USING INDEX jobs_leased|pairs|\(subquery-\d+\))$/.test(
          step,
        );
      if (/^SCAN/.test(step)) assert.ok(isSmall, `${sql}\n${plan.join("\n")}`);
    }
  }
  const usesIndex = plans.filter(({ plan }) =>
    plan.some((step) => /INDEX jobs_runnable/.test(step))
  );
  assert.ok(usesIndex.length >= 2, JSON.stringify(plans, null, 2));
});

Deno.test("sqlite: a long backlog that may not be claimed makes claims no slower", async () => {
  const timeOf = async (backlog: number) => {
    await using temp = await tempStore();
    const { store } = temp;
    for (let added = 0; added < backlog; added += 2_000) {
      await store.add(newJobs(2_000, { ...withKey("ann"), queue: "keyed" }), T0);
      await store.add(newJobs(2_000, { kind: "unknown", queue: "kinds" }), T0);
      await store.add(newJobs(2_000, { queue: "paused" }), T0);
    }
    await store.add(newJobs(100, { ...withKey("bob"), queue: "keyed", runAtMs: T0 + 1 }), T0);
    await store.changeQueue("keyed", { keyMaxRunning: 1 }, T0);
    await store.changeQueue("paused", { isPaused: true }, T0);
    const options = { free: 8, kinds: ["count"], nowMs: T0 + 1 };
    assert.equal((await claimJobs(store, options)).length, 2, "one for each key");
    const times: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const startedAtMs = performance.now();
      assert.deepEqual(await claimJobs(store, options), []);
      times.push(performance.now() - startedAtMs);
    }
    return Math.min(...times);
  };
  const [fewMs, manyMs] = [await timeOf(2_000), await timeOf(40_000)];
  // To walk through the backlog would take twenty times as long.
  assert.ok(manyMs < 8 * fewMs + 0.5, `${fewMs} ms with few, ${manyMs} ms with many`);
});

Deno.test("sqlite: finished jobs do not stand in the index that claims use", async () => {
  await using temp = await tempStore();
  await temp.store.add(newJobs(30), T0);
  for (const job of await claimJobs(temp.store, { free: 30 })) {
    await settleOne(temp.store, job, { event: "complete", result: "1" });
  }
  const entries = inspect(temp.path, (database) =>
    database.prepare(
      "SELECT count(*) AS n FROM jobs INDEXED BY jobs_runnable WHERE state IN ('pending', 'failed')",
    ).get()!["n"]);
  assert.equal(entries, 0);
  const sql = inspect(
    temp.path,
    (database) =>
      database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'jobs_runnable'").get()!["sql"],
  );
  assert.match(String(sql), /WHERE state IN \('pending', 'failed'\)/);
});

Deno.test("sqlite: calls wait while another connection holds the lock, and then succeed", async () => {
  await using temp = await tempStore();
  await temp.store.add([newJob({ id: "before" })], T0);
  const blocker = new DatabaseSync(temp.path);
  blocker.exec("PRAGMA busy_timeout = 5000");
  blocker.prepare("BEGIN EXCLUSIVE").run();
  const startedAtMs = performance.now();
  let isOver = false;
  try {
    const writes = Promise.all([
      temp.store.add([newJob({ id: "during" })], T0),
      claimOne(temp.store),
      temp.store.configSet("max-retries", "1"),
      temp.store.probe(T0),
    ]).finally(() => isOver = true);
    // Reads go on meanwhile.
    assert.ok(await temp.store.find("before"));
    assert.equal((await temp.store.stats(T0)).counts.pending, 1);
    await eventually(() => performance.now() - startedAtMs > 1_000, { what: "a second passed" });
    assert.equal(isOver, false, "a write came through although the lock was held");
    blocker.prepare("ROLLBACK").run();
    await writes;
  } finally {
    blocker.close();
  }
  assert.ok(await temp.store.find("during"));
});

Deno.test("sqlite: opening waits too while another connection holds the lock", async () => {
  await using temp = await tempStore();
  // The opener may block its thread while it waits, so the lock is held by another process.
  const script = `import { DatabaseSync } from "node:sqlite";
    const database = new DatabaseSync(Deno.args[0]);
    database.prepare("BEGIN EXCLUSIVE").run();
    console.log("locked");
    setTimeout(() => { database.prepare("ROLLBACK").run(); database.close(); }, 700);`;
  const file = join(temp.dir, "lock.ts");
  await Deno.writeTextFile(file, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "--no-config", file, temp.path],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "locked\n");
  const second = await temp.openAgain();
  await second.add([newJob({ id: "through" })], T0);
  assert.ok(await temp.store.find("through"));
  await reader.cancel();
  assert.ok((await child.status).success);
});

Deno.test("sqlite: a watch outlives a moment in which the file cannot be read", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "queue.db");
    await Deno.writeFile(`${path}-wal`, new Uint8Array());
    const answers = [1, null, 2];
    const get = () => {
      const version = answers.length > 1 ? answers.shift()! : answers[0]!;
      if (version === null) throw new Error("disk I/O error");
      return { data_version: version };
    };
    const statement = { get, all: () => [], run: () => 0 };
    const connection: Connection = { exec() {}, prepare: () => statement, close() {} };
    let calls = 0;
    using _watch = new ChangeWatch(connection, path).subscribe(() => calls++);
    await eventually(async () => {
      await Deno.writeFile(`${path}-wal`, new Uint8Array(1), { append: true });
      return calls > 0;
    }, { what: "the watch called back after an error in between" });
  });
});

Deno.test("watch() hears of others in the middle of own commits, and when they have ended", async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const other = await temp.openAgain();
  let changes = 0;
  using _watch = store.watch(() => changes++);
  let isCommitting = true;
  let ownCommits = 0;
  const committing = (async () => {
    while (isCommitting) {
      await store.add([newJob()], T0);
      ownCommits++;
    }
  })();
  await eventually(() => ownCommits > 50, { what: "a streak of own commits" });
  assert.equal(changes, 0, "own commits are no news");
  await other.add([newJob()], T0);
  await eventually(() => changes > 0, { what: "the other's commit is heard in the middle of it" });
  isCommitting = false;
  await committing;
  const before = changes;
  await other.add([newJob()], T0);
  await eventually(() => changes > before, { what: "the other's commit is heard afterwards" });
});

Deno.test("sqlite: what a process that died had yet to tell of the end of a job, the next reap tells", async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const after = { ids: ["a"], on: "success" } as const;
  const waiting = ["b", "c", "d"].map((id) => newJob({ id, extras: newExtras({ after }) }));
  await store.add([newJob({ id: "a" }), ...waiting], T0);
  const seqOf = async (id: string) => (await store.find(id))!.seq;
  const [ended, told] = [await seqOf("a"), await seqOf("b")];
  inspect(temp.path, (database) => {
    database.exec(`UPDATE jobs SET state = 'cancelled' WHERE seq IN (${ended}, ${told})`);
    database.exec("UPDATE counts SET jobs = 2 WHERE state = 'pending'");
    database.exec(`INSERT INTO endings VALUES (${ended}, 'cancelled', ${T0}, ${told})`);
  });
  await reap(store);
  assert.equal((await store.find("c"))!.state, "cancelled");
  assert.equal((await store.find("d"))!.lastError!.code, "dependency");
  assert.equal(inspect(temp.path, (db) => db.prepare("SELECT * FROM endings").all().length), 0);
});

Deno.test("space that is not used any more is given back, step by step", async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const payload = JSON.stringify("x".repeat(100_000));
  const jobs = newJobs(50, { payload });
  await store.add(jobs, T0);
  const full = await store.size();
  for (const { id } of jobs) await store.remove(id, T0);
  const { unusedBytes } = await store.size();
  assert.ok(unusedBytes > 4_000_000, `${unusedBytes}`);
  const after = await store.shrink(1_000_000);
  assert.ok(after.bytes < full.bytes && after.unusedBytes > 3_000_000, JSON.stringify(after));
  while ((await store.shrink(1_000_000)).unusedBytes > 0) { /* the next step */ }
  assert.ok((await store.size()).bytes < full.bytes / 10);
  await store.settleSize();
});
