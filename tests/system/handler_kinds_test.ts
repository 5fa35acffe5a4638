/** Which kinds are accepted where, and who runs them, when several processes share a database. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { Sandbox } from "../helpers/program.ts";

async function withModule(): Promise<Sandbox> {
  const sandbox = await Sandbox.create();
  Deno.writeTextFileSync(
    sandbox.path("handlers.ts"),
    "export const double = (n: number) => n * 2;",
  );
  return sandbox;
}

const JOB = { kind: "double", payload: 21 };

Deno.test("an unknown kind is refused over HTTP with 422, and by the CLI", async () => {
  await using sandbox = await withModule();
  const api = apiOf(await sandbox.serve(["--workers", "1"]));
  const answer = await api.post("/jobs", JOB);
  assert.equal(answer.status, 422);
  assert.equal(answer.body.errors[0].pointer, "/kind");
  assert.match(answer.body.errors[0].detail, /^kind: expected one of "count", .*, got "double"/);
  const batch = await api.post("/jobs/batch", [JOB, JOB]);
  assert.deepEqual([batch.status, batch.body.errors[1].pointer], [422, "/1/kind"]);
  const { code, stderr } = await sandbox.run(["enqueue", JSON.stringify(JOB)]);
  assert.equal(code, 2);
  assert.match(stderr, /got "double".*--handlers/s, "it says how kinds become known");
});

Deno.test("serve with handlers accepts their kinds and runs them", async () => {
  await using sandbox = await withModule();
  const api = apiOf(await sandbox.serve(["--workers", "1", "--handlers", "handlers.ts"]));
  const added = await api.post("/jobs", { ...JOB, id: "a" });
  assert.equal(added.status, 201);
  assert.equal(await sandbox.wait(["a"]), 0);
  assert.deepEqual((await api.get("/jobs/a/result")).body, {
    job_id: "a",
    status: "done",
    result: 42,
  });
});

Deno.test("kinds are known to all processes once a worker has had them, also when it is gone", async () => {
  await using sandbox = await withModule();
  const api = apiOf(await sandbox.serve(["--workers", "0"]));
  assert.equal((await api.post("/jobs", JOB)).status, 422);
  const worker = await sandbox.worker(["-n", "1", "--handlers", "handlers.ts"]);
  assert.equal((await api.post("/jobs", { ...JOB, id: "running" })).status, 201);
  assert.equal(await sandbox.wait(["running"]), 0);
  await worker.stop();
  assert.equal((await api.post("/jobs", { ...JOB, id: "waiting" })).status, 201);
  await sandbox.enqueue([{ ...JOB, id: "waiting-too" }]);
  assert.equal((await api.post("/jobs", { ...JOB, kind: "doubel" })).status, 422);
});

Deno.test("extra-kinds are accepted before any worker has had them", async () => {
  await using sandbox = await withModule();
  await sandbox.ok("config", "set", "extra-kinds", "double,triple");
  await sandbox.enqueue([{ ...JOB, id: "early" }]);
  const { code } = await sandbox.run(["enqueue", JSON.stringify({ ...JOB, kind: "quadruple" })]);
  assert.equal(code, 2);
  await sandbox.worker(["-n", "1", "--handlers", "handlers.ts"]);
  assert.equal(await sandbox.wait(["early"]), 0);
});

Deno.test("workers leave jobs alone whose kind they cannot run", async () => {
  await using sandbox = await withModule();
  const without = await sandbox.worker(["-n", "1", "--extra-kinds", "double"]);
  const ids = Array.from({ length: 50 }, (_, index) => `double-${index}`);
  const env = { QUEUECTL_EXTRA_KINDS: "double" };
  const stdin = ids.map((id) => JSON.stringify({ ...JOB, id, priority: 5 })).join("\n");
  assert.equal((await sandbox.run(["enqueue", "-"], { stdin, env })).code, 0);
  const plain = await sandbox.add("echo plain");
  assert.equal(await sandbox.wait([plain]), 0, "they are not in its way");
  assert.equal((await sandbox.status())["jobs"].pending, ids.length);
  assert.equal(without.log("job.started").filter((line) => line["kind"] === "double").length, 0);
  await sandbox.worker(["-n", "1", "--handlers", "handlers.ts"]);
  assert.equal(await sandbox.wait(ids), 0);
});

Deno.test("an upload can be the input of a handler of a user", async () => {
  await using sandbox = await Sandbox.create();
  Deno.writeTextFileSync(
    sandbox.path("handlers.ts"),
    `export const size = async (payload, { input }) =>
       ({ bytes: (await Deno.readFile(input)).length, path: input, payload });`,
  );
  const server = await sandbox.serve(["--workers", "1", "--handlers", "handlers.ts"]);
  const form = new FormData();
  form.set("kind", "size");
  form.set("id", "upload");
  form.set("file", new Blob([new Uint8Array([0, 255, 10, 13, 0])]), "bytes.bin");
  const answer = await fetch(`${server.url}/jobs`, { method: "POST", body: form });
  assert.equal(answer.status, 201, await answer.text());
  assert.equal(await sandbox.wait(["upload"]), 0);
  const { result } = await sandbox.show("upload");
  assert.equal(result.bytes, 5);
  assert.throws(() => Deno.statSync(result.path), Deno.errors.NotFound, "the file is removed");
});
