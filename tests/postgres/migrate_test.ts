/** `queuectl migrate` from a file to a server. */
import { startPostgres, tempSchema } from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import { proveKilledMoves, proveWorkGoesOn } from "../system/migration.ts";

const server = await startPostgres();

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
}
