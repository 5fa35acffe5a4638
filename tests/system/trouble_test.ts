/** What the surroundings may do to a running server: take its descriptors, its log. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
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
    { what: "the log file told the address", timeoutMs: 60_000 },
  );
  const api = apiOf({ url });
  for (let upload = 0; upload < 5; upload++) {
    const { status, body } = await api.upload("hello");
    assert.equal(status, 201);
    assert.equal(await sandbox.wait([body.job_id]), 0);
  }
  const pid = /"pid":(\d+)/.exec(Deno.readTextFileSync(log))?.[1];
  Deno.kill(Number(pid), "SIGTERM");
  await shell.endsWithin();
});
