/**
 * Programs of different versions on one queue: those of a generation work side by side, others are kept
 * apart. The newer program is this one with a step more.
 */
import assert from "node:assert/strict";
import type { Session } from "../../src/store/postgres/connection.ts";
import { enter } from "../../src/store/postgres/generation.ts";
import { migrate, type Place, type Step, STEPS } from "../../src/store/postgres/migrate.ts";
import { Server } from "../../src/store/postgres/server.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { execute, openPostgresStore, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import { listAll } from "../store/conformance/harness.ts";

/** Columns in the very tables that are read most, with an index. */
const ADDITION: Step = {
  sql: "ALTER TABLE jobs ADD COLUMN mood text; ALTER TABLE attempts ADD COLUMN mood text; " +
    "ALTER TABLE workers ADD COLUMN mood text NOT NULL DEFAULT 'calm'; " +
    "ALTER TABLE queue_limits ADD COLUMN mood text; ALTER TABLE schedules ADD COLUMN mood text; " +
    "CREATE INDEX jobs_by_mood ON jobs (mood) WHERE mood IS NOT NULL; CREATE TABLE moods (name text)",
  startsGeneration: false,
};
const UPHEAVAL: Step = {
  sql: "ALTER TABLE jobs RENAME COLUMN payload TO work",
  startsGeneration: true,
};

const server = await startPostgres();

if (server !== null) {
  /** What a program that knows these steps, too, does first. */
  const startNewer = async (url: string, ...steps: Step[]): Promise<[Session, Place]> => {
    const newer = new Server(url);
    const session = await newer.open();
    try {
      const place = await migrate(session, newer.shown, [...STEPS, ...steps]);
      await enter(session, place);
      return [session, place];
    } catch (error) {
      session.cut();
      throw error;
    }
  };

  Deno.test("a step that adds is taken while older processes work, and they go on", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    const short = ["--reap-interval", "500ms"];
    const worker = await sandbox.worker(["-n", "2", ...short]);
    const api = await sandbox.serve(["--workers", "0", ...short]);
    await sandbox.ok("queue", "set", "default", "--max-running", "2");
    let isOver = false;
    const ids: string[] = [];
    const submitting = (async () => {
      while (!isOver) {
        const response = await fetch(`${api.url}/jobs`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ kind: "count", payload: "four" }),
        });
        const body = await response.json();
        assert.equal(response.status, 201, JSON.stringify(body));
        ids.push(body.job_id);
        const status = await fetch(`${api.url}/jobs/${body.job_id}`);
        assert.equal(status.status, 200, await status.text());
      }
    })();
    submitting.catch(() => {}); // told of below
    const more = async () => {
      const before = ids.length;
      await Promise.race([
        submitting, // should it fail, that says more
        eventually(() => ids.length >= before + 50, {
          what: "50 more jobs were added",
          timeoutMs: 60_000,
        }),
      ]);
    };
    await more();
    const [session, place] = await startNewer(schema.url, ADDITION);
    assert.equal(place.generation, 1);
    await more();
    // Older programs start, too.
    await sandbox.worker(["-n", "1", ...short]);
    await sandbox.add("true");
    isOver = true;
    await submitting;
    await eventually(async () => (await sandbox.status()).jobs.completed === ids.length + 1, {
      what: "all jobs were done",
      timeoutMs: 60_000,
      everyMs: 200,
    });
    for (const service of [worker, api]) {
      assert.deepEqual(service.log().filter(({ level }) => level === "error"), []);
    }
    await session.close();
    assert.deepEqual(
      await execute(schema.url, "SELECT version, generation FROM queuectl_schema"),
      [{ version: STEPS.length + 1, generation: 1 }],
    );
  });

  Deno.test("a queue that knows more than the program is not moved by it", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    await sandbox.add("true");
    await (await startNewer(schema.url, ADDITION))[0].close();
    const words = ["migrate", "--from", schema.url, "--to", "sqlite:moved.db"];
    const { code, stderr } = await sandbox.run(words);
    assert.equal(code, 5, stderr);
    assert.match(stderr, /^error: a newer queuectl has added to the database postgres:[^\n]*\n$/);
    assert.equal(sandbox.has("moved.db"), false);
    assert.deepEqual((await sandbox.status()).jobs.pending, 1);
  });

  Deno.test("a new generation is refused while older processes are there, and names them", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    const worker = await sandbox.worker(["-n", "1"]);
    const { pid } = worker;
    await eventually(async () => (await sandbox.status()).workers.length === 1, {
      what: "it has told of itself",
    });
    await assert.rejects(startNewer(schema.url, UPHEAVAL), ({ code, message }) => {
      assert.equal(code, "store-unavailable");
      assert.match(message, /processes of generation 1 could not use, and such are still there/);
      assert.match(
        message,
        new RegExp(`worker \\(process ${pid} on .*connection.* from .*stop them`),
      );
      return true;
    });
    assert.equal(await sandbox.wait([await sandbox.add("true")]), 0);
    await worker.stop();
    const [session, place] = await startNewer(schema.url, UPHEAVAL);
    assert.equal(place.generation, 2);
    await session.close();
    const { code, stderr } = await sandbox.run(["list"]);
    assert.equal(code, 5);
    assert.match(stderr, /^error: .*generation 2, but this queuectl speaks generation 1: a newer/);
  });

  Deno.test("a new generation waits a moment for a process of the old one that is just ending", async () => {
    await using schema = await tempSchema(server);
    await (await openPostgresStore(schema.url))[Symbol.asyncDispose]();
    const ending = execute(
      schema.url,
      "SELECT pg_advisory_lock_shared(hashtext('queuectl:' || current_schema()), 1001), pg_sleep(0.5)",
    );
    const held =
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1001 AND granted " +
      "AND classid = (hashtext('queuectl:' || current_schema())::bigint & 4294967295)::oid";
    await eventually(async () => (await execute(schema.url, held)).length === 1, {
      what: "it was there",
    });
    const [session, place] = await startNewer(schema.url, UPHEAVAL);
    assert.equal(place.generation, 2);
    await ending;
    await session.close();
  });

  Deno.test("an older process that was cut off meanwhile writes nothing into a new generation", async () => {
    await using schema = await tempSchema(server);
    const store = await openPostgresStore(schema.url);
    await store.add([newJob({ id: "before" })], T0);
    assert.equal((await listAll(store)).length, 1);
    const sessions = await execute(
      schema.url,
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1001 AND classid = " +
        "(hashtext('queuectl:' || current_schema())::bigint & 4294967295)::oid",
    );
    assert.ok(sessions.length >= 2, "the session that writes, and one that reads");
    for (const { pid } of sessions) {
      await execute(schema.url, `SELECT pg_terminate_backend(${pid})`);
    }
    const newer = await eventually(() => startNewer(schema.url, UPHEAVAL).catch(() => null), {
      what: "the new generation began",
    });
    const refusal = { code: "store-unavailable", message: /a newer queuectl .*generation 2/ };
    await assert.rejects(store.add([newJob()], T0), refusal);
    await assert.rejects(store.find("before"), refusal);
    await store[Symbol.asyncDispose]();
    await newer![0].close();
    assert.equal((await execute(schema.url, "SELECT id FROM jobs")).length, 1);
  });
}
