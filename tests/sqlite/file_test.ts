/** What a queue in a file brings with it: its space and permissions, and what others do to it meanwhile. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { apiOf } from "../helpers/api.ts";
import { assertProblem } from "../helpers/http.ts";
import { cpuMs } from "../helpers/processes.ts";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

Deno.test("writes are refused, not lost, while the database file is away; it may come back", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const api = apiOf(server);
  assert.equal((await api.upload("before", { id: "before" })).status, 201);

  Deno.renameSync(sandbox.db, `${sandbox.db}.away`);
  assertProblem(await api.get("/readyz"), 503, /deleted while it was in use/);
  for (let upload = 0; upload < 3; upload++) {
    const answer = await api.upload("x");
    assertProblem(answer, 503, /deleted while it was in use/);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
  }
  assert.equal((await api.get("/healthz")).status, 200);
  const usedMs = cpuMs(server.pid);
  await pause(1_000);
  assert.ok(cpuMs(server.pid) - usedMs < 500, "it waits without burning a core");

  Deno.renameSync(`${sandbox.db}.away`, sandbox.db);
  await eventually(async () => (await api.get("/readyz")).status === 200, {
    what: "the server could write again",
  });
  assert.equal((await api.upload("after", { id: "after" })).status, 201);
  assert.equal(await sandbox.wait(["before", "after"]), 0);
});

Deno.test("a database that was deleted, or replaced by another, takes no more jobs", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  const api = apiOf(server);
  await api.upload("before");
  for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(sandbox.db + suffix);
  assertProblem(await api.upload("x"), 503, /deleted while it was in use/);
  // Another process makes a new one of that name: it must not be taken for the old one.
  const add = await sandbox.run(["add", "touch ran", "--id", "new"]);
  assert.equal(add.code, 0, add.stderr);
  assertProblem(await api.upload("x"), 503, /replaced while it was in use/);
  assert.equal((await sandbox.show("new"))["state"], "pending");
  await server.stop();

  await sandbox.serve(["--workers", "1"]);
  assert.equal(await sandbox.wait(["new"]), 0, "a restart uses the new one");
});

Deno.test("a database that is no database is refused with exit code 5, and not touched", async () => {
  await using sandbox = await Sandbox.create();
  const text = "These are my notes, not a database.\n".repeat(100);
  Deno.writeTextFileSync(sandbox.db, text);
  for (const args of [["add", "true"], ["list"], ["worker", "-n", "1"], ["serve", "--port", "0"]]) {
    const { code, stderr } = await sandbox.run(args);
    assert.equal(code, 5, `${args}: ${stderr}`);
    assert.match(stderr, /not an SQLite database/);
    assert.doesNotMatch(stderr, /\.ts:\d|\bat \w+ \(/, "no stack trace");
  }
  assert.equal(Deno.readTextFileSync(sandbox.db), text);
});

Deno.test("the database and its companions are for their owner alone", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"], {
    wrapper: ["sh", "-c", 'umask 000; exec "$@"', "sh"],
  });
  await apiOf(server).upload("hello");
  for (const suffix of ["", "-wal", "-shm"]) {
    const { mode } = Deno.statSync(sandbox.db + suffix);
    assert.equal((mode! & 0o777).toString(8), "600", `queue.db${suffix}`);
  }
});

Deno.test("the last process to close leaves one file", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1"]);
  await sandbox.wait([await sandbox.add("true")]);
  assert.ok(sandbox.has("queue.db-wal"), "it is there while somebody writes");
  assert.equal((await server.stop()).code, 0);
  assert.equal(sandbox.has("queue.db-wal"), false);
});

Deno.test("prune gives the space of deleted jobs back, and says so", async () => {
  await using sandbox = await Sandbox.create();
  const payload = "x".repeat(50_000);
  await sandbox.enqueue(Array.from({ length: 20 }, (_, index) => ({
    ...{ id: `job-${index}`, kind: "count", payload },
  })));
  await sandbox.ok("cancel", ...Array.from({ length: 20 }, (_, index) => `job-${index}`));
  assert.ok(Deno.statSync(sandbox.db).size > 1_000_000);
  const { code, stderr } = await sandbox.run(["prune", "--older-than", "0s"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /shrank from [\d.]+MiB to [\d.]+KiB/);
  assert.ok(Deno.statSync(sandbox.db).size < 500_000);
});
