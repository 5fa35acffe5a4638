/** A full disk: refused without damage, and everything works again once there is space. */
import assert from "node:assert/strict";
import { type Answer, assertProblem } from "../helpers/http.ts";
import { type Api, apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

/** A small file system of one's own at `path`. */
class SmallDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** @throws when this machine does not let us mount one. */
  static async mount(path: string, size: string): Promise<SmallDisk> {
    await Deno.mkdir(path);
    await system("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
    return new SmallDisk(path);
  }

  /** Leaves not a byte. */
  fill(): void {
    const file = Deno.openSync(`${this.path}/filler`, { create: true, append: true });
    try {
      for (const bytes of [64 * 1024, 1]) {
        const block = new Uint8Array(bytes);
        while (writes(file, block));
      }
    } finally {
      file.close();
    }
  }

  makeSpace(): void {
    Deno.removeSync(`${this.path}/filler`);
  }

  grow(size: string): Promise<void> {
    return system("mount", "-o", `remount,size=${size}`, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await system("umount", "--lazy", this.path);
  }
}

function writes(file: Deno.FsFile, block: Uint8Array): boolean {
  try {
    return file.writeSync(block) > 0;
  } catch {
    return false;
  }
}

async function system(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}

async function canMount(): Promise<boolean> {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-mount-" });
  try {
    await (await SmallDisk.mount(`${dir}/disk`, "1m"))[Symbol.asyncDispose]();
    return true;
  } catch (error) {
    console.warn(`SKIPPED: the tests of a full disk need the right to mount: ${error}`);
    return false;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const ignore = !(await canMount());

function assertRefused(answer: Answer): void {
  assertProblem(answer, 503, /disk is full/);
  assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
}

async function assertCounted(api: Api, accepted: ReadonlyMap<string, number>): Promise<void> {
  for (const [id, characters] of accepted) {
    const answer = await eventually(async () => {
      const answer = await api.get(`/jobs/${id}/result`);
      return answer.status === 202 ? undefined : answer;
    }, { what: `the acknowledged job ${id} was finished`, timeoutMs: 60_000 });
    assert.deepEqual([answer.status, answer.body.characters], [200, characters], id);
  }
}

Deno.test({
  name: "a disk that fills up: 503 and exit code 5, no acknowledged job lost, none half written",
  ignore,
  async fn() {
    await using sandbox = await Sandbox.create();
    await using disk = await SmallDisk.mount(sandbox.path("disk"), "4m");
    const db = `${disk.path}/queue.db`;
    const server = await sandbox.serve(["--workers", "1"], { db });
    const api = apiOf(server);

    const accepted = new Map<string, number>();
    const refused: string[] = [];
    for (let upload = 0; refused.length < 5 && upload < 200; upload++) {
      const id = `upload-${upload}`;
      const length = 100_000 + upload;
      const answer = await api.upload("x".repeat(length), { id });
      if (answer.status === 201) accepted.set(id, length);
      else {
        assertRefused(answer);
        refused.push(id);
      }
    }
    assert.equal(refused.length, 5, "the disk did fill up");
    assert.ok(accepted.size > 5);
    disk.fill();

    // What the refused uploads have left of the WAL may still hold some small ones.
    let answer: Answer;
    for (let small = 0;; small++) {
      answer = await api.post("/jobs", { kind: "count", payload: "hello", id: `small-${small}` });
      if (answer.status !== 201) break;
      accepted.set(`small-${small}`, 5);
    }
    assertRefused(answer);
    // Large enough for no rest of room: one small job more may fit where another one did not.
    const batch = [{ kind: "count", payload: "x".repeat(60_000) }];
    assertRefused(await api.post("/jobs/batch", batch));
    assertProblem(await api.get("/readyz"), 503);
    assert.equal((await api.get("/healthz")).status, 200);
    assert.equal((await api.get("/jobs/upload-0/status")).status, 200, "reads go on");
    for (const id of refused) assertProblem(await api.get(`/jobs/${id}`), 404);
    const add = await sandbox.run(["add", "true"], { db });
    assert.equal(add.code, 5, add.stderr);
    assert.match(add.stderr, /disk is full/);

    await disk.grow("32m");
    await eventually(async () => (await api.get("/readyz")).status === 200, {
      what: "the server was ready again",
    });
    answer = await api.upload("hello", { id: refused[0]! });
    assert.equal(answer.status, 201, "an id that was refused is free");
    accepted.set(refused[0]!, 5);
    await assertCounted(api, accepted);
    const { body } = await api.get("/stats");
    assert.equal(body.total, accepted.size);
    assert.equal(body.jobs.completed, accepted.size);
    assert.equal((await server.stop()).code, 0);
  },
});

Deno.test({
  name: "results that find the disk full are kept and written once there is space",
  ignore,
  async fn() {
    await using sandbox = await Sandbox.create();
    await using disk = await SmallDisk.mount(sandbox.path("disk"), "4m");
    const db = `${disk.path}/queue.db`;
    const server = await sandbox.serve(["--workers", "2", "--simulated-work", "1500ms"], { db });
    const api = apiOf(server);
    const accepted = new Map<string, number>();
    for (let upload = 1; upload <= 6; upload++) {
      const { body } = await api.upload("x".repeat(upload));
      accepted.set(body.job_id, upload);
    }
    await eventually(async () => (await api.get("/stats")).body.jobs.pending < 6, {
      what: "a job was being worked on",
    });
    disk.fill();
    await server.sees("store.unavailable");
    assert.equal((await api.get("/healthz")).status, 200);
    disk.makeSpace();
    await server.sees("store.available");
    await assertCounted(api, accepted);
    for (const id of accepted.keys()) {
      assert.equal((await api.get(`/jobs/${id}/status`)).body.attempts, 0, "no attempt was lost");
    }
  },
});

Deno.test({
  name: "a server that is killed while the disk is full starts again and loses nothing",
  ignore,
  async fn() {
    await using sandbox = await Sandbox.create();
    await using disk = await SmallDisk.mount(sandbox.path("disk"), "4m");
    const db = `${disk.path}/queue.db`;
    const first = await sandbox.serve(["--workers", "0"], { db });
    const accepted = new Map<string, number>();
    for (let upload = 1; upload <= 20; upload++) {
      const { body } = await apiOf(first).upload("x".repeat(upload * 1_000));
      accepted.set(body.job_id, upload * 1_000);
    }
    disk.fill();
    assertRefused(await apiOf(first).upload("x".repeat(100_000)));
    await first.kill();
    disk.makeSpace();
    const second = await sandbox.serve(["--workers", "1"], { db });
    await assertCounted(apiOf(second), accepted);
  },
});

Deno.test({
  name: "a large upload never uses up the disk: it is refused, and small jobs go on",
  ignore,
  async fn() {
    await using sandbox = await Sandbox.create();
    await using disk = await SmallDisk.mount(sandbox.path("disk"), "100m");
    const db = `${disk.path}/queue.db`;
    const flags = ["--workers", "1", "--upload-limit", "1GiB", "--allow-commands"];
    const api = apiOf(await sandbox.serve(flags, { db }));
    const text = "x".repeat(60 * 1024 * 1024);
    const upload = async (id: string) => {
      const answer = await api.upload(text, { id });
      assertProblem(
        answer,
        503,
        /too full for the file: \d+ MiB are free, of which 64 MiB are kept/,
      );
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    };
    await upload("large");
    assertProblem(await api.get("/jobs/large"), 404);
    const { status, body } = await api.upload("small", { id: "small" });
    assert.equal(status, 201, body);
    await assertCounted(api, new Map([["small", 5]]));
    // What a command leaves is refused likewise, and its job says so.
    const command = 'head -c 60000000 /dev/zero > "$QUEUECTL_OUTPUT_DIR/large"';
    await api.post("/jobs", { id: "leaves", command });
    const left = await eventually(async () => {
      const job = (await api.get("/jobs/leaves")).body;
      return job.state === "completed" ? job.artifacts_dropped : undefined;
    }, { what: "the job ended", timeoutMs: 60_000, everyMs: 100 });
    assert.match(left[0].reason, /could not be stored: the disk is too full/);
    await disk.grow("400m");
    const answer = await api.upload(text, { id: "large" });
    assert.equal(answer.status, 201, "the id that was refused is free, and there is room");
    await assertCounted(api, new Map([["large", text.length]]));
  },
});
