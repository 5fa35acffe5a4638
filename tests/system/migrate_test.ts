/** `queuectl migrate` to a file, from whatever the sandbox's database is. */
import assert from "node:assert/strict";
import { Sandbox } from "../helpers/program.ts";
import { proveKilledMoves, proveWorkGoesOn } from "./migration.ts";

Deno.test("after a move, workers on the new database finish what was begun on the old one", async () => {
  await using sandbox = await Sandbox.create();
  await proveWorkGoesOn(sandbox, sandbox.path("new.db"));
});

Deno.test("a move that is killed at any moment goes on, and comes to the same end", async () => {
  await using sandbox = await Sandbox.create();
  await proveKilledMoves(sandbox, sandbox.path("new.db"), sandbox.path("spare.db"));
});

Deno.test("migrate says everything that is wrong with its options, and shows no password", async () => {
  await using sandbox = await Sandbox.create();
  const refused = async (args: readonly string[], code: number, ...messages: RegExp[]) => {
    const ran = await sandbox.run(["migrate", ...args]);
    assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stderr}`);
    for (const message of messages) assert.match(ran.stderr, message);
    assert.doesNotMatch(ran.stderr, /geheim| {4}at /);
  };
  await refused([], 2, /expected --from, a database: sqlite:PATH/, /expected --to/);
  await refused(
    ["--from", "mysql://a:geheim@h/d", "--to", "sqlite:"],
    2,
    /--from: expected a database: sqlite:PATH, or postgres:.* got "mysql:…"/,
    /--to: expected .* got "sqlite:…"/,
  );
  await refused(["--undo", "a.db", "--to", "b.db"], 2, /--undo goes alone/);
  await refused(["--from", "sqlite:none.db", "--to", "b.db"], 5, /there is no database .*none\.db/);
  await refused(["--undo", "none.db"], 5, /there is no database/);
  await sandbox.ok("initdb", "--db", "a.db");
  await refused(["--from", "a.db", "--to", "sqlite:./a.db"], 2, /name the same database/);
  await refused(["--from", "a.db", "--to", "none/b.db"], 5, /its directory does not exist/);
  await refused(
    ["--from", "a.db", "--to", "postgres://u:geheim@127.0.0.1:1/q"],
    5,
    /cannot use the database postgres:\/\/u@127\.0\.0\.1:1\/q: nothing listens there/,
  );
  await refused(["--undo", "a.db"], 1, /nothing to undo/);
  await sandbox.ok("list", "--db", "a.db");
  assert.equal(sandbox.has("none.db"), false);
  assert.equal(sandbox.has("b.db"), false);
});
