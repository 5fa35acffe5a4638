/** `queuectl migrate` from a file to a server. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { execute, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import { proveKilledMoves, proveWorkGoesOn } from "../system/migration.ts";

/** From the middle on a move takes its time. */
const SLOWLY = `
  CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT count(*) FROM jobs) > 4000 THEN PERFORM pg_sleep(5); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER slowly AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION slowly()`;

const server = await startPostgres({ isOwn: true });

if (server !== null) {
  Deno.test("from a file to a server: workers there finish what was begun", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create("queue.db");
    await proveWorkGoesOn(sandbox, schema.url);
  });

  Deno.test("from a file to a server: killed moves come to the same end", async () => {
    await using schema = await tempSchema(server);
    await using spare = await tempSchema(server);
    await using sandbox = await Sandbox.create("queue.db");
    await proveKilledMoves(sandbox, schema.url, spare.url);
  });

  Deno.test("from a file to a server: one that crashes meanwhile is gone on with", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create("queue.db");
    const jobs = Array.from({ length: 9_000 }, (_, n) => ({ id: `j-${n}`, command: "true" }));
    await sandbox.enqueue(jobs);
    assert.equal((await sandbox.run(["initdb"], { db: schema.url })).code, 0);
    await execute(schema.url, SLOWLY);
    const args = ["migrate", "--from", "queue.db", "--to", schema.url];
    const running = sandbox.start(args);
    const arrived = async () => {
      const [row] = await execute(schema.url, "SELECT count(*)::int AS jobs FROM jobs");
      return row!["jobs"] as number;
    };
    await eventually(async () => await arrived() >= 1_000, { what: "some jobs have arrived" });
    await server.own!.restart("immediate");
    const { code, stderr } = await running.ended;
    assert.equal(code, 5, stderr);
    assert.match(stderr, /cannot use the database postgres:.*; the move is not over: the same/);
    const left = await arrived();
    assert.ok(left < jobs.length, `all ${left} had arrived before the crash`);
    await execute(schema.url, "DROP FUNCTION slowly CASCADE");
    const again = await sandbox.run(args);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(await arrived(), jobs.length);
  });
}
