/** Files that come with jobs and out of them, as users of the whole program see them. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { testedBackend } from "../helpers/backend.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawConnection } from "../helpers/http.ts";
import { peakMemoryBytes } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

const MIB = 2 ** 20;

/** The directories of attempts that stand in the sandbox. */
function attemptDirs({ dir }: Sandbox): string[] {
  return [...Deno.readDirSync(dir)]
    .filter(({ name }) => name.startsWith("queuectl-work-"))
    .flatMap(({ name }) => [...Deno.readDirSync(`${dir}/${name}`)].map((one) => one.name));
}

const noAttemptDirs = (sandbox: Sandbox) =>
  eventually(() => attemptDirs(sandbox).length === 0, { what: "the attempts' directories went" });

Deno.test("a command gets its input as a file, and what it leaves can be fetched", async () => {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1", "--allow-commands"]);
  Deno.writeTextFileSync(sandbox.path("names.csv"), "b\na\nb\n");
  const command = 'sort -u "$QUEUECTL_INPUT" > "$QUEUECTL_OUTPUT_DIR/names"; ' +
    'mkdir "$QUEUECTL_OUTPUT_DIR/sub"; basename "$QUEUECTL_INPUT" > "$QUEUECTL_OUTPUT_DIR/sub/in"; ' +
    'stat -c %a "$QUEUECTL_OUTPUT_DIR" "$(dirname "$QUEUECTL_INPUT")"';
  const id = await sandbox.add(command, "--input", "names.csv");
  Deno.removeSync(sandbox.path("names.csv"));
  assert.equal(await sandbox.wait([id]), 0);
  assert.equal(await sandbox.ok("logs", id), "700\n700\n", "nobody else looks into them");
  assert.equal(await sandbox.ok("artifact", "get", id, "names"), "a\nb\n");
  await sandbox.ok("artifact", "get", id, "sub/in", "-o", "got");
  const nowhere = await sandbox.run(["artifact", "get", id, "sub/in", "-o", "gone/got"]);
  assert.match(nowhere.stderr, /^error: --output: cannot write gone\/got: its directory does not/);
  assert.deepEqual(sandbox.lines("got"), ["names.csv"]);
  const answer = await apiOf(server).get(`/jobs/${id}/artifacts/sub%2Fin`);
  assert.equal(answer.text, "names.csv\n");
  assert.match(await sandbox.ok("show", id), /Artifacts\nNAME[\s\S]*sub\/in/);
  await noAttemptDirs(sandbox);
  await server.stop();
  const left = [...Deno.readDirSync(sandbox.dir)].filter(({ name }) => /^queuectl-work/.test(name));
  assert.deepEqual(left, [], "a process that ends takes its directory with it");
});

Deno.test("an upload over HTTP is the input of a command, too", async () => {
  await using sandbox = await Sandbox.create();
  const api = apiOf(await sandbox.serve(["--workers", "1", "--allow-commands"]));
  const { body } = await api.upload("one\ntwo\n", { command: 'wc -l < "$QUEUECTL_INPUT"' });
  assert.equal(await sandbox.wait([body.job_id]), 0);
  assert.equal((await sandbox.ok("logs", body.job_id)).trim(), "2");
});

Deno.test("the artifacts of a job are those of its last attempt, also of one that failed", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1", "--backoff-base", "0.1"]);
  const command = 'touch "$QUEUECTL_OUTPUT_DIR/of-$QUEUECTL_ATTEMPT"; exit 1';
  const id = await sandbox.add(command, "--max-retries", "1");
  assert.equal(await sandbox.wait([id]), 1);
  const { artifacts, state } = await sandbox.show(id);
  assert.equal(state, "dead");
  assert.deepEqual(artifacts.map(({ name, attempt }: Record<string, unknown>) => [name, attempt]), [
    ["of-2", 2],
  ]);
});

Deno.test("what is over a limit is not kept, and the job says which files and why", async () => {
  await using sandbox = await Sandbox.create();
  const limits = ["--artifact-limit", "1KiB", "--artifact-total", "1500", "--artifact-count", "3"];
  await sandbox.worker(["-n", "1", ...limits]);
  const command = 'cd "$QUEUECTL_OUTPUT_DIR"; head -c 1025 /dev/zero > a; ' +
    "head -c 1024 /dev/zero > b; head -c 1000 /dev/zero > c; " +
    "ln -s /etc/passwd link; mkfifo fifo; for n in 1 2 3; do : > n$n; done";
  const id = await sandbox.add(command);
  assert.equal(await sandbox.wait([id]), 0, "the job itself is not at fault");
  const { artifacts, artifacts_dropped } = await sandbox.show(id);
  assert.deepEqual(artifacts.map(({ name }: { name: string }) => name), ["b", "n1", "n2"]);
  const reasons = artifacts_dropped.map((one: Record<string, string>) => [one.name, one.reason]);
  assert.deepEqual(reasons, [
    ["a", "it has 1025 bytes, more than artifact-limit allows (1KiB)"],
    ["c", "with it the files have more bytes than artifact-total allows (1500)"],
    ["fifo", "it is no regular file"],
    ["link", "it is a symbolic link"],
    ["n3", "there are more files than artifact-count allows (3)"],
  ]);
  const shown = await sandbox.ok("artifact", "list", id);
  assert.match(shown, /not kept: a: it has 1025 bytes, more than artifact-limit allows \(1KiB\)/);
  const get = await sandbox.run(["artifact", "get", id, "link"]);
  assert.deepEqual([get.code, /symbolic link/.test(get.stderr)], [3, true]);
  await noAttemptDirs(sandbox);
});

Deno.test("nothing stays on disk of attempts that time out, are cancelled, or were killed", async () => {
  await using sandbox = await Sandbox.create();
  const worker = await sandbox.worker(["-n", "2"]);
  Deno.writeTextFileSync(sandbox.path("in"), "x");
  const command = ': > "$QUEUECTL_OUTPUT_DIR/left"; : > "$QUEUECTL_JOB_ID"; sleep 60';
  const add = (id: string, ...flags: string[]) =>
    sandbox.add(command, "--id", id, "--input", "in", "--max-retries", "0", ...flags);
  await add("late", "--timeout", "4s");
  assert.equal(await sandbox.wait(["late"]), 1);
  assert.deepEqual((await sandbox.show("late")).artifacts.length, 1, "what it left is kept");
  await add("unwanted");
  await eventually(() => sandbox.has("unwanted"), { what: "the command ran" });
  await sandbox.ok("cancel", "unwanted");
  await noAttemptDirs(sandbox);
  await add("lost");
  await eventually(() => sandbox.has("lost"), { what: "the command ran" });
  assert.equal(attemptDirs(sandbox).length, 2, "its input and what it leaves");
  await worker.kill();
  await sandbox.worker(["-n", "1"]);
  await noAttemptDirs(sandbox);
});

Deno.test("a job whose input cannot be put on disk fails, and says where it was to stand", async () => {
  await using sandbox = await Sandbox.create();
  Deno.writeTextFileSync(sandbox.path("in"), "x");
  await sandbox.worker(["-n", "1", "--work-dir", "/proc/nowhere"]);
  const id = await sandbox.add("true", "--input", "in", "--max-retries", "0");
  const plain = await sandbox.add(
    'echo "$QUEUECTL_OUTPUT_DIR"; echo x > "$QUEUECTL_OUTPUT_DIR/x"',
    "--max-retries",
    "0",
  );
  assert.equal(await sandbox.wait([id, plain]), 1);
  const { error, error_code } = await sandbox.show(id);
  assert.equal(error_code, "input");
  assert.match(error, /the input could not be written to \/proc\/nowhere\/.* \(work-dir\)/);
  const { stdout, stderr } = await sandbox.run(["logs", plain]);
  assert.match(stdout, /^\/proc\/nowhere\//);
  assert.match(stderr, /No such|nonexistent/, "who leaves files there learns that it is not there");
});

/** Sends a form with a file of so many bytes, piece by piece; returns the answer. */
async function uploadBytes(port: number, bytes: number, id: string) {
  const piece = new TextEncoder().encode("é".repeat(MIB / 2));
  const head = `--X\r\nContent-Disposition: form-data; name="id"\r\n\r\n${id}\r\n` +
    '--X\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n';
  const tail = "\r\n--X--\r\n";
  using connection = await RawConnection.open(port);
  await connection.send(
    "POST /jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary=X\r\n" +
      `content-length: ${head.length + bytes + tail.length}\r\n\r\n${head}`,
  );
  for (let sent = 0; sent < bytes; sent += piece.length) {
    await connection.send(piece.subarray(0, Math.min(piece.length, bytes - sent)));
  }
  await connection.send(tail);
  return await connection.answer(300_000);
}

/** A server takes several times as long; what memory grows by shows with less, too. */
const HUGE = (testedBackend() === "sqlite" ? 1024 : 256) * MIB;
/** So large that putting it on disk for an attempt takes long enough to be interrupted. */
const LARGE = 256 * MIB;

Deno.test(`${HUGE / MIB} MiB are uploaded and counted in little memory, while others are answered`, async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["--workers", "1", "--upload-limit", "1GiB"];
  const server = await sandbox.serve(flags);
  const api = apiOf(server);
  // What any large upload takes, is taken by the first one.
  assert.equal((await uploadBytes(server.port, 128 * MIB, "first")).status, 201);
  assert.equal(await sandbox.wait(["first"], "120s"), 0);
  const peakBytes = peakMemoryBytes(server.pid);

  let isOver = false;
  const slowest = (async () => {
    let slowestMs = 0;
    while (!isOver) {
      const startedMs = performance.now();
      assert.equal((await api.get("/jobs/first/status")).status, 200);
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    return slowestMs;
  })();
  const beganMs = performance.now();
  const answer = await uploadBytes(server.port, HUGE, "huge").finally(() => isOver = true);
  const tookMs = performance.now() - beganMs;
  assert.equal(answer.status, 201, answer.text);
  const slowestMs = await slowest;
  // Where the disk takes its time, others wait for it too, but not for the whole upload.
  const limitMs = Math.max(5_000, tookMs / 2);
  assert.ok(slowestMs < limitMs, `somebody waited ${Math.round(slowestMs)} of ${tookMs} ms`);
  assert.equal(await sandbox.wait(["huge"], "300s"), 0);
  const grownMiB = (peakMemoryBytes(server.pid) - peakBytes) / MIB;
  assert.ok(grownMiB < 160, `it took ${Math.round(grownMiB)} MiB more than 128 MiB did`);
  assert.equal((await api.get("/jobs/huge/result")).body.characters, HUGE / 2);
  assert.equal((await api.get("/jobs/huge")).body.input.bytes, HUGE);
  // While its input is being written, a job can be cancelled, and holds up no shutdown.
  assert.equal((await uploadBytes(server.port, LARGE, "unwanted")).status, 201);
  const cancelled = await api.post("/jobs/unwanted/cancel");
  assert.equal(cancelled.status, 200, cancelled.text);
  await eventually(async () => (await api.get("/jobs/unwanted")).body.state === "cancelled", {
    what: "the job was cancelled",
  });
  await noAttemptDirs(sandbox);
});
