/** A running service lets go of finished jobs by itself. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

Deno.test("a service deletes finished jobs that are older than the settings keep them", async () => {
  await using sandbox = await Sandbox.create();
  const gone = await sandbox.add("true", "--id", "gone");
  const dead = await sandbox.add("false", "--id", "dead", "--max-retries", "0");
  const later = await sandbox.add("true", "--id", "later", "--delay", "1h");
  // Both, and one that has the turn once a minute.
  const flags = ["--keep-completed", "0s"];
  const processes = [
    await sandbox.serve(["--workers", "1", ...flags]),
    await sandbox.serve(["--workers", "0", ...flags]),
  ];
  await eventually(() => processes.some((process) => process.log("jobs.pruned").length > 0), {
    what: "jobs were pruned",
    timeoutMs: 150_000, // the turn may have been taken before the job had ended
  });
  const pruned = processes.flatMap((process) => process.log("jobs.pruned"));
  assert.deepEqual(pruned.map(({ completed, dead }) => [completed, dead]), [[1, 0]]);
  assert.equal((await sandbox.run(["show", gone])).code, 3);
  for (const id of [dead, later]) assert.equal((await sandbox.show(id)).id, id);
});
