/** What the surroundings may do to a running server: take its descriptors, its file, its log. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { assertProblem } from "../helpers/http.ts";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { cpuMs } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

Deno.test("out of file descriptors, the server survives, and answers once there are some", async () => {
  await using sandbox = await Sandbox.create();
  const wrapper = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"];
  const server = await sandbox.serve(["--workers", "1"], { wrapper });
  const api = apiOf(server);
  const { body: { job_id: early } } = await api.upload("before");
  const connections: Deno.Conn[] = [];
  try {
    for (let count = 0; count < 200; count++) {
      try {
        connections.push(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      } catch {
        break; // it has lost its listener already
      }
    }
    // Either the kernel took the listener away, or the server closed connections just in time.
    const isNoticed = () =>
      ["http.listener_lost", "http.connections_closed"].some((event) =>
        server.log(event).length > 0
      );
    await eventually(isNoticed, { what: `it was noticed:${server.recentLog()}` });
  } finally {
    for (const connection of connections) connection.close();
  }
  await eventually(async () => (await api.get("/healthz")).status === 200, {
    what: "the server answered again",
  });
  const { status, body: { job_id: late } } = await api.upload("afterwards");
  assert.equal(status, 201);
  for (const [id, characters] of [[early, 6], [late, 10]]) {
    await eventually(async () => {
      return (await api.get(`/jobs/${id}/result`)).body.characters === characters;
    }, { what: `job ${id} was counted` });
  }
  assert.equal((await server.stop()).code, 0);
});

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
  assert.ok(cpuMs(server.pid) - usedMs < 300, "it waits without burning a core");

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

Deno.test("a log that nobody reads any more does not stop the server", async () => {
  await using sandbox = await Sandbox.create();
  const log = sandbox.path("server.log");
  // Its stderr is a pipe whose reader ends after the first line.
  const wrapper = ["sh", "-c", '"$@" 2>&1 >/dev/null | head -n 1 >/dev/null', "sh"];
  const shell = sandbox.start(["serve", "--port", "0", "--workers", "1", "--log-file", log], {
    wrapper,
  });
  const url = await eventually(
    () => /"url":"([^"]+)"/.exec(Deno.readTextFileSync(log))?.[1],
    { what: "the log file told the address", timeoutMs: 20_000 },
  );
  const api = apiOf({ url });
  for (let upload = 0; upload < 5; upload++) {
    const { status, body } = await api.upload("hello");
    assert.equal(status, 201);
    assert.equal(await sandbox.wait([body.job_id]), 0);
  }
  const pid = /"pid":(\d+)/.exec(Deno.readTextFileSync(log))?.[1];
  Deno.kill(Number(pid), "SIGTERM");
  await shell.endsWithin(10_000);
});
