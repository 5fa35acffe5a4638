/**
 * A full disk, and a disk that cannot be written: on small file systems of their own, which only
 * root may mount. Elsewhere these tests are left out, and say so.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StoreUnavailableError } from "../../src/job/errors.ts";
import type { NewJob } from "../../src/job/job.ts";
import { openStore } from "../../src/store/open.ts";
import type { JobStore } from "../../src/store/store.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import { assertCountsAreRight, claimOne, listAll, settleOne } from "./conformance/harness.ts";

const MEBIBYTE = 1_048_576;

/** A mounted file system of a few mebibytes. */
interface SmallDisk extends AsyncDisposable {
  readonly dir: string;
  remount(options: string): Promise<void>;
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-disk-" });
  try {
    await run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", dir);
  } catch (error) {
    await Deno.remove(dir);
    throw error;
  }
  return {
    dir,
    remount: (options) => run("mount", "-o", `remount,${options}`, dir),
    async [Symbol.asyncDispose]() {
      await run("umount", dir);
      await Deno.remove(dir);
    },
  };
}

/** Why no file system can be mounted here; null: it can. */
async function whyNoMount(): Promise<string | null> {
  if (Deno.build.os !== "linux") return `needs Linux, this is ${Deno.build.os}`;
  if (Deno.uid() !== 0) return "needs root, to mount a small file system";
  try {
    await (await mountSmallDisk(1))[Symbol.asyncDispose]();
    return null;
  } catch (error) {
    return `cannot mount here: ${(error as Error).message.trim()}`;
  }
}

const reason = await whyNoMount();
if (reason !== null) console.warn(`LEFT OUT: the tests of a full disk: ${reason}`);

function diskTest(promise: string, prove: (disk: SmallDisk) => Promise<void>): void {
  Deno.test({
    name: `sqlite: ${promise}`,
    ignore: reason !== null,
    async fn() {
      await using disk = await mountSmallDisk(4);
      await prove(disk);
    },
  });
}

function openAt(path: string): Promise<JobStore> {
  return openStore({ db: path, driver: "builtin", clock: Date.now, synchronous: () => "full" });
}

function largeJobs(count: number): NewJob[] {
  return Array.from({ length: count }, () => newJob({ payload: new Uint8Array(100_000) }));
}

/** Adds until it is refused; returns the ids that were acknowledged. */
async function fill(store: JobStore): Promise<string[]> {
  const acknowledged: string[] = [];
  while (acknowledged.length < 1_000) {
    const jobs = largeJobs(2);
    try {
      await store.add(jobs, T0);
    } catch (error) {
      assert.ok(error instanceof StoreUnavailableError, String(error));
      assert.match(error.message, /disk is full/);
      return acknowledged;
    }
    acknowledged.push(...jobs.map(({ id }) => id));
  }
  assert.fail("the disk never became full");
}

diskTest("a full disk refuses writes, loses nothing and writes nothing by halves", async (disk) => {
  const path = join(disk.dir, "queue.db");
  await using store = await openAt(path);
  const acknowledged = await fill(store);
  assert.ok(acknowledged.length > 0);
  assert.deepEqual((await listAll(store)).map(({ id }) => id).sort(), acknowledged.sort());
  await assertCountsAreRight(store);
  await assert.rejects(store.probe(T0).then(() => store.add(largeJobs(5), T0)), {
    code: "store-unavailable",
  });
});

diskTest("with a full disk reads go on", async (disk) => {
  await using store = await openAt(join(disk.dir, "queue.db"));
  const [first] = await fill(store);
  const job = await store.find(first!);
  assert.equal((await store.payload(job!.seq)).length, 100_000);
  assert.ok((await store.stats(T0)).counts.pending > 0);
  assert.equal((await store.list({ limit: 1 })).jobs.length, 1);
});

diskTest("the same store works again as soon as there is space", async (disk) => {
  const filler = join(disk.dir, "filler");
  await Deno.writeFile(filler, new Uint8Array(2 * MEBIBYTE));
  await using store = await openAt(join(disk.dir, "queue.db"));
  const acknowledged = await fill(store);
  await Deno.remove(filler);
  const job = newJob({ id: "after" });
  assert.deepEqual(await store.add([job], T0), { duplicates: [] });
  const claimed = await claimOne(store);
  assert.equal(await settleOne(store, claimed, { event: "complete", result: "1" }), "settled");
  const ids = (await listAll(store)).map(({ id }) => id);
  assert.deepEqual(ids.sort(), [...acknowledged, "after"].sort());
  await assertCountsAreRight(store);
});

diskTest(
  "when the disk is full, calls of one moment fail each for itself or succeed whole",
  async (disk) => {
    await using store = await openAt(join(disk.dir, "queue.db"));
    const batches = Array.from({ length: 40 }, () => largeJobs(2));
    const answers = await Promise.allSettled(batches.map((jobs) => store.add(jobs, T0)));
    assert.ok(answers.some(({ status }) => status === "rejected"));
    const acknowledged = batches.filter((_, index) => answers[index]!.status === "fulfilled")
      .flat().map(({ id }) => id);
    assert.deepEqual((await listAll(store)).map(({ id }) => id).sort(), acknowledged.sort());
    await assertCountsAreRight(store);
  },
);

diskTest("a database on a full disk is refused at opening, with the reason", async (disk) => {
  await Deno.writeFile(join(disk.dir, "filler"), new Uint8Array(4 * MEBIBYTE)).catch(() => {});
  const path = join(disk.dir, "queue.db");
  await assert.rejects(openAt(path), (error) => {
    assert.ok(error instanceof StoreUnavailableError, String(error));
    assert.ok(error.message.includes(path), error.message);
    return true;
  });
});

diskTest("a read-only disk is refused at opening, with the reason", async (disk) => {
  const path = join(disk.dir, "queue.db");
  await (await openAt(path))[Symbol.asyncDispose]();
  await disk.remount("ro");
  await assert.rejects(openAt(path), (error) => {
    assert.ok(error instanceof StoreUnavailableError, String(error));
    assert.match(error.message, /read-only/i);
    assert.ok(error.message.includes(path), error.message);
    return true;
  });
});
