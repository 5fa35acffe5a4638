/** `queuectl submit` against a real API, and against one that misbehaves. */
import assert from "node:assert/strict";
import { queuectl, spawnServer, tempDir } from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";

const TEXT = "Grüße, 世界 👋\n";
const CHARACTERS = [...TEXT].length;

// deno-lint-ignore no-explicit-any -- events have many shapes
async function events(path: string): Promise<any[]> {
  const text = await Deno.readTextFile(path);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("submit uploads, waits, sums up, and writes every event to its log", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  await Deno.writeTextFile(`${temp.dir}/b.txt`, "b");
  await using server = await spawnServer(["--workers", "1"], temp);
  const { code, stdout, stderr } = await queuectl([
    ...["submit", "--api", `${server.url}/`, "--file", "a.txt", "--file", "b.txt"],
    ...["--count", "20", "--log", "events.jsonl"],
  ], { cwd: temp.dir });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "", "no progress line without a terminal");
  assert.match(stdout, /Jobs +40\nDone +40\nFailed +0\n/);
  assert.match(stdout, new RegExp(`Characters +${20 * CHARACTERS + 20}\nElapsed +\\d`));
  const log = await events(`${temp.dir}/events.jsonl`);
  const of = (event: string) => log.filter((one) => one.event === event);
  assert.equal(new Set(of("submitted").map(({ job_id }) => job_id)).size, 40);
  assert.deepEqual(
    of("done").map(({ job_id }) => job_id).sort(),
    of("submitted").map(({ job_id }) => job_id).sort(),
  );
  assert.equal(of("finished")[0].characters, 20 * CHARACTERS + 20);
  for (const { time } of log) assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

Deno.test("submit --json prints one document with every job", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  await using server = await spawnServer(["--workers", "1"], temp);
  const { code, stdout } = await queuectl(
    ["submit", "--api", server.url, "--file", "a.txt", "--json"],
    { cwd: temp.dir },
  );
  assert.equal(code, 0);
  const { jobs, done, results } = JSON.parse(stdout);
  assert.deepEqual([jobs, done], [1, 1]);
  assert.deepEqual([results[0].status, results[0].characters], ["done", CHARACTERS]);
});

Deno.test("submit exits 1 when a job dies, and says which and why", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  const faulty = ["--workers", "1", "--fault-fail", "1", "--max-retries", "0"];
  await using server = await spawnServer(faulty, temp);
  const { code, stdout, stderr } = await queuectl(
    ["submit", "--api", server.url, "--file", "a.txt"],
    { cwd: temp.dir },
  );
  assert.equal(code, 1);
  assert.match(stdout, /Failed +1\n/);
  assert.match(stderr, /a\.txt: failed \(job [0-9a-f]{32}\): \S/);
});

Deno.test("submit says what the API refuses", async () => {
  await using temp = await tempDir();
  await Deno.writeFile(`${temp.dir}/latin1.txt`, new Uint8Array([0x47, 0x72, 0xfc]));
  await Deno.writeTextFile(`${temp.dir}/large.txt`, "x".repeat(200_000));
  await using server = await spawnServer(["--workers", "0", "--upload-limit", "1KiB"], temp);
  const { code, stderr } = await queuectl(
    ["submit", "--api", server.url, "--file", "latin1.txt", "--file", "large.txt"],
    { cwd: temp.dir },
  );
  assert.equal(code, 1);
  assert.match(stderr, /latin1\.txt: refused: 400: .*UTF-8/);
  assert.match(stderr, /large\.txt: refused: 413: /);
});

Deno.test("submit gives up when it was told to, with 4", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  await using server = await spawnServer(["--workers", "0"], temp);
  const { code, stdout, stderr } = await queuectl(
    ["submit", "--api", server.url, "--file", "a.txt", "--timeout", "300ms"],
    { cwd: temp.dir },
  );
  assert.equal(code, 4);
  assert.match(stdout, /Unfinished +1\n/);
  assert.match(stderr, /not finished after 300ms: 1 job\n/);
});

Deno.test("submit says that no API answers there", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  const port = freePort();
  const { code, stderr } = await queuectl(
    ["submit", "--api", `http://127.0.0.1:${port}`, "--file", "a.txt"],
    { cwd: temp.dir, env: { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" } },
  );
  assert.equal(code, 1);
  assert.match(stderr, /cannot reach the API at http:\/\/127\.0\.0\.1:\d+: connection refused/);
  assert.match(stderr, /is queuectl serve running there\?/);
});

Deno.test("submit carries the token from its file, and says when one is needed", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  await Deno.writeTextFile(`${temp.dir}/token`, "0123456789abcdef\n");
  await using server = await spawnServer(["--workers", "1", "--token-file", "token"], {
    ...temp,
    cwd: temp.dir,
  });
  const line = ["submit", "--api", server.url, "--file", "a.txt"];
  const without = await queuectl(line, { cwd: temp.dir });
  assert.equal(without.code, 1);
  assert.match(without.stderr, /refuses us \(401\): give its token with --token-file/);
  assert.equal((await queuectl([...line, "--token-file", "token"], { cwd: temp.dir })).code, 0);
});

Deno.test("an upload whose answer was lost becomes one job, not two", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(`${temp.dir}/a.txt`, TEXT);
  const ids: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/stats") return Response.json({});
      if (pathname !== "/jobs") return Response.json({ status: "done", characters: 1 });
      ids.push(String((await request.formData()).get("id")));
      // Stored, but the first answer says otherwise; then the id is in use.
      return ids.length === 1
        ? Response.json({ status: 503 }, { status: 503 })
        : Response.json({ status: 409 }, { status: 409 });
    },
  );
  const { code, stdout } = await queuectl(
    ["submit", "--api", `http://127.0.0.1:${server.addr.port}`, "--file", "a.txt", "--json"],
    { cwd: temp.dir },
  );
  assert.equal(code, 0);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  assert.equal(JSON.parse(stdout).results[0].job_id, ids[0]);
});
