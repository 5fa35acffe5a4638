/** A server that is away for long, and connections that listen and are lost. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { assertStartsAtOnce } from "../helpers/at_once.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertCompleted, Submitter } from "../helpers/load.ts";
import { execute, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";

const LEASE = ["--lease", "8s", "--reap-interval", "200ms", "--backoff-base", "0.1"];

/** How long the server is away: longer than a lease. */
const AWAY_MS = 11_000;

const server = await startPostgres({ isOwn: true });

if (server !== null) {
  const { url, own } = server;

  Deno.test("a server that is away for longer than a lease takes no job from workers that live", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    const api = await sandbox.serve(["--workers", "0", ...LEASE]);
    const workers = [
      await sandbox.worker(["-n", "1", ...LEASE]),
      await sandbox.worker(["-n", "1", ...LEASE]),
      await sandbox.worker(["-n", "1", ...LEASE]),
    ];
    // Two are held while the server is away; one ends meanwhile, and is written down afterwards.
    const command = (name: string, s: number) =>
      `echo begun >> ${name}; sleep ${s}; echo over >> ${name}`;
    const long = await sandbox.add(command("long", AWAY_MS / 1_000 + 5));
    const brief = await sandbox.add(command("brief", AWAY_MS / 1_000 - 3));
    await eventually(() => sandbox.has("long") && sandbox.has("brief"), { what: "both began" });
    const submitter = new Submitter(api);
    await submitter.acknowledges(10);

    await own!.stop("immediate");
    await pause(AWAY_MS);
    await own!.start();
    await submitter.acknowledges(10);
    const { ids } = await submitter.end();
    await assertCompleted(schema.url, [...ids, long, brief]);
    for (const [name, id] of Object.entries({ long, brief })) {
      assert.deepEqual(sandbox.lines(name), ["begun", "over"], name);
      assert.equal((await sandbox.show(id))["attempts"], 0);
    }
    for (const service of [api, ...workers]) assert.equal(service.isOver, false);
    await workers[0]!.stop();
    await workers[1]!.stop();
    await assertStartsAtOnce(workers[2]!, () => sandbox.add("true"));
  });

  Deno.test("a process whose listening connection is killed hears of others again at once", async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(schema.url);
    const worker = await sandbox.worker(["-n", "1", ...LEASE]);
    const listening = "FROM pg_stat_activity WHERE application_name = 'queuectl' " +
      "AND query ~ '^(LISTEN|SELECT 1$)'";
    const listeners = async () =>
      (await execute(url, `SELECT pid ${listening}`)).map(({ pid }) => pid);
    for (let round = 0; round < 2; round++) {
      const killed = await eventually(async () => (await listeners())[0], { what: "it listens" });
      await execute(url, `SELECT pg_terminate_backend(pid) ${listening}`);
      await eventually(async () => (await listeners()).some((pid) => pid !== killed), {
        what: "it listened again",
      });
      await assertStartsAtOnce(worker, () => sandbox.add("true"));
    }
  });
}
