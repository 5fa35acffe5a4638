/**
 * A server and its standby: which of several hosts is used, and that the death of the one that takes
 * writes costs no acknowledged job and no restart.
 */
import assert from "node:assert/strict";
import { CommitMarks } from "../../src/store/postgres/commit_mark.ts";
import { Server } from "../../src/store/postgres/server.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { assertCompleted, Submitter } from "../helpers/load.ts";
import {
  execute,
  openPostgresStore,
  type PostgresServer,
  startPostgres,
  tempPostgresStore,
} from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import { listAll } from "../store/conformance/harness.ts";

const [primary, abandoned] = await Promise.all([1, 2].map(() => startPostgres({ isOwn: true })));

if (primary && abandoned) {
  const [standby, successor] = await Promise.all([
    primary.own!.addStandby(),
    abandoned.own!.addStandby(),
  ]);

  const hosts = (...ports: number[]) => ports.map((port) => `127.0.0.1:${port}`).join(",");
  const urlOf = (list: string, more = "") => `postgres://postgres:geheim@${list}/postgres${more}`;

  Deno.test("of several hosts the one that takes writes is used, wherever it stands", async () => {
    for (
      const url of [
        urlOf(hosts(standby.port, primary.port)),
        urlOf(hosts(1, primary.port, standby.port), "?target_session_attrs=read-write"),
        urlOf("", `?host=127.0.0.1,127.0.0.1&port=${standby.port},${primary.port}`),
      ]
    ) {
      await using store = await openPostgresStore(url);
      const job = newJob();
      assert.deepEqual(await store.add([job], T0), { duplicates: [] });
      assert.equal((await store.find(job.id))?.id, job.id);
    }
  });

  Deno.test("when no host takes writes it is said of each why, without the password", async () => {
    await assert.rejects(openPostgresStore(urlOf(hosts(1, standby.port))), ({ code, message }) => {
      assert.equal(code, "store-unavailable");
      assert.match(message, /127\.0\.0\.1:1: nothing listens there/);
      assert.match(message, new RegExp(`:${standby.port}: it takes no writes: it is a standby`));
      assert.doesNotMatch(message, /geheim/);
      return true;
    });
  });

  Deno.test("a server that is set to read-only is told from one that is away, and comes back", async () => {
    await using temp = await tempPostgresStore(primary);
    const set = async (value: string) => {
      await execute(primary.url, `ALTER SYSTEM SET default_transaction_read_only = ${value}`);
      await execute(primary.url, "SELECT pg_reload_conf()");
    };
    await set("on");
    try {
      await eventually(
        () =>
          temp.store.add([newJob()], T0)
            .then(
              () => false,
              ({ message }) => /takes no writes: it is set to read-/.test(message),
            ),
        { what: "a write was refused" },
      );
    } finally {
      await set("off");
    }
    await eventually(() => temp.store.add([newJob({ id: "after" })], T0), { what: "it writes" });
    assert.ok((await listAll(temp.store)).some(({ id }) => id === "after"));
  });

  Deno.test("whether a commit was made is decided once, whoever asks first", async () => {
    await using temp = await tempPostgresStore(primary);
    const server = new Server(temp.url);
    const [writer, asker] = [await server.open(), await server.open()];
    const marks = new CommitMarks("somebody");
    const isThere = (number: number) => marks.isThere(number, asker, T0);
    const begin = () => writer.script("BEGIN; INSERT INTO meta VALUES (gen_random_uuid(), 1)");

    await begin();
    const refused = marks.next();
    assert.equal(await isThere(refused), false);
    await assert.rejects(marks.leave(refused, T0, writer), { code: "23505" });
    await writer.script("ROLLBACK");
    assert.equal(await isThere(refused), false);

    await begin();
    const made = marks.next();
    await marks.leave(made, T0, writer);
    const asking = isThere(made); // waits for it
    await writer.script("COMMIT");
    assert.equal(await asking, true);
    assert.equal(await isThere(made), true);

    await begin();
    const undone = marks.next();
    await marks.leave(undone, T0, writer);
    const askingInVain = isThere(undone);
    await writer.script("ROLLBACK");
    assert.equal(await askingInVain, false);
    await writer.close();
    await asker.close();
  });

  Deno.test("a commit that is lost with its server is not taken for another one's", async () => {
    await using temp = await tempPostgresStore(primary);
    const server = new Server(temp.url);
    const writer = await server.open();
    const marks = new CommitMarks("somebody else");
    await writer.script("BEGIN; INSERT INTO meta VALUES (gen_random_uuid(), 1)");
    const mark = marks.next();
    await marks.leave(mark, T0, writer);
    await primary.own!.kill();
    await primary.own!.start();
    // The server has forgotten it so thoroughly that its number is given out again, mostly at once.
    for (let round = 0; round < 5; round++) {
      await execute(temp.url, "SELECT pg_current_xact_id()");
    }
    const asker = await server.open();
    assert.equal(await marks.isThere(mark, asker, T0), false);
    await asker.close();
  });

  /** From here on commits wait for the standby. */
  const makeSynchronous = async ({ url }: PostgresServer) => {
    await execute(url, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    await execute(url, "SELECT pg_reload_conf()");
    const state = "SELECT sync_state FROM pg_stat_replication";
    await eventually(async () => (await execute(url, state))[0]?.["sync_state"] === "sync", {
      what: "the standby was synchronous",
      timeoutMs: 60_000,
      everyMs: 100,
    });
  };

  const dies = async () => {
    await execute(primary.url, "CREATE SCHEMA failover");
    await makeSynchronous(primary);
    const schema = "?options=-c%20search_path%3Dfailover";
    await using sandbox = await Sandbox.create(
      urlOf(hosts(primary.port, standby.port), schema),
    );
    const api = await sandbox.serve(["--workers", "0"]);
    const flags = ["-n", "2", "--lease", "60s"];
    const workers = [await sandbox.worker(flags), await sandbox.worker(flags)];
    const during = await sandbox.add("echo begun >> during; sleep 6; echo over >> during");
    await eventually(() => sandbox.has("during"), { what: "the command was begun" });

    const submitter = new Submitter(api);
    await submitter.acknowledges(50);
    await primary.own!.kill();
    const { code, stderr } = await sandbox.run(["add", "true"]);
    assert.equal(code, 5);
    assert.match(stderr, /nothing listens there .*; .*it is a standby/);
    assert.doesNotMatch(stderr, /geheim/);
    await standby.own!.promote();
    await submitter.acknowledges(50, 90_000);
    const { ids } = await submitter.end();

    await assertCompleted(urlOf(hosts(standby.port), schema), [...ids, during]);
    // Its lease outlived the failover, so nobody else began it.
    assert.deepEqual(sandbox.lines("during"), ["begun", "over"]);
    assert.equal((await sandbox.show(during))["attempts"], 0);
    for (const service of [api, ...workers]) {
      assert.equal(service.isOver, false, service.recentLog());
      assert.doesNotMatch(service.stderr, /geheim/);
    }
  };

  /** The old primary lives and can be reached, but what it commits no standby gets any more. */
  const isLeftAlone = async () => {
    await makeSynchronous(abandoned);
    await using store = await openPostgresStore(urlOf(hosts(abandoned.port, successor.port)));
    await store.add([newJob({ id: "before" })], T0);
    await successor.own!.promote();
    await store.add([newJob({ id: "during" })], T0);
    await store.add([newJob({ id: "after" })], T0);
    assert.equal((await store.find("during"))?.id, "during");
    const rows = await execute(successor.url, "SELECT id FROM jobs ORDER BY seq");
    assert.deepEqual(rows.map(({ id }) => id), ["before", "during", "after"]);
  };

  // Last, because it ends the primary.
  Deno.test("when a standby is promoted", async (t) => {
    const together = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
    const steps = [
      {
        name: "the death of the primary under load costs no acknowledged job and no restart",
        fn: dies,
      },
      { name: "a primary that it has left alone is left, too", fn: isLeftAlone },
    ];
    await Promise.all(steps.map((step) => t.step({ ...step, ...together })));
  });
}
