/** `queuectl healthcheck` tells containers whether the service answers, by its exit code. */
import assert from "node:assert/strict";
import { queuectl, spawnServer, tempDir } from "../helpers/cli.ts";

Deno.test("healthcheck exits 0 while the service answers and 1 when it is gone", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "0"], temp);
  const port = new URL(server.url).port;

  const alive = await queuectl(["healthcheck", "--port", port], { cwd: temp.dir });
  assert.deepEqual(alive, { code: 0, stdout: `ok: ${server.url}/healthz\n`, stderr: "" });

  await server.stop();
  const gone = await queuectl(["healthcheck", "--port", port], { cwd: temp.dir });
  assert.equal(gone.code, 1);
  assert.equal(gone.stdout, "");
  assert.match(gone.stderr, new RegExp(`^error: ${server.url}/healthz: `));
});

Deno.test("healthcheck needs no token, and asks on loopback where the service is on every address", async () => {
  await using temp = await tempDir();
  const tokenFile = `${temp.dir}/token`;
  await Deno.writeTextFile(tokenFile, "a-token-of-this-test-alone\n");
  const options = ["--workers", "0", "--token-file", tokenFile];
  await using server = await spawnServer(options, temp);
  const { code } = await queuectl(["healthcheck"], {
    cwd: temp.dir,
    env: { QUEUECTL_HOST: "0.0.0.0", QUEUECTL_PORT: new URL(server.url).port },
  });
  assert.equal(code, 0);
});

Deno.test("healthcheck exits 1 and says what it got when something else answers", async () => {
  await using temp = await tempDir();
  const answer = () => new Response("no", { status: 404 });
  await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const port = String(other.addr.port);
  const ran = await queuectl(["healthcheck", "--port", port, "--json"], { cwd: temp.dir });
  assert.equal(ran.code, 1);
  assert.deepEqual(JSON.parse(ran.stdout), {
    ok: false,
    url: `http://127.0.0.1:${port}/healthz`,
    problem: "expected 200, got 404",
  });
});

Deno.test("healthcheck creates no database", async () => {
  await using temp = await tempDir();
  assert.equal((await queuectl(["healthcheck", "--port", "1"], { cwd: temp.dir })).code, 1);
  assert.deepEqual([...Deno.readDirSync(temp.dir)], []);
});

Deno.test("healthcheck does not ask through a proxy", async () => {
  await using temp = await tempDir();
  await using server = await spawnServer(["--workers", "0"], temp);
  const { code } = await queuectl(["healthcheck", "--port", new URL(server.url).port], {
    cwd: temp.dir,
    env: { http_proxy: "http://127.0.0.1:1", no_proxy: "", NO_PROXY: "" },
  });
  assert.equal(code, 0);
});
