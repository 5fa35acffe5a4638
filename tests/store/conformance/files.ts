/** Files: they come in pieces, get an owner with its job or its attempt's end, and go with it. */
import assert from "node:assert/strict";
import { NO_EXTRAS } from "../../../src/job/job.ts";
import type { Artifacts, FileRole, JobStore } from "../../../src/store/store.ts";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { buryOne, bytesOf, claimOne, EXIT_ERROR, find, HOLDER, type Suite } from "./harness.ts";

/** Writes a file of these pieces that nobody has yet. */
async function stage(
  store: JobStore,
  pieces: readonly string[],
  { role = "input", name = "a.txt", nowMs = T0 }: {
    role?: FileRole;
    name?: string;
    nowMs?: number;
  } = {},
): Promise<number> {
  const file = await store.beginFile({ role, name, mediaType: null, expectedBytes: 0 }, nowMs);
  for (const [n, piece] of pieces.entries()) {
    assert.equal(await store.appendFile({ file, n, bytes: bytesOf(piece) }, nowMs), true);
  }
  return file;
}

/** All of a file; null when nothing is left of it. */
async function read(store: JobStore, file: number): Promise<string | null> {
  let text: string | null = null;
  for (let n = 0;; n++) {
    const piece = await store.filePiece(file, n);
    if (piece === null) return text;
    text = (text ?? "") + new TextDecoder().decode(piece);
  }
}

/** Deletes what nobody has had since then, and counts the steps. */
async function sweep(store: JobStore, idleSinceMs = T0 + 1): Promise<number> {
  let steps = 0;
  while (await store.sweepFiles(idleSinceMs)) steps++;
  return steps;
}

const withFile = (id: string, fileId: number) => newJob({ id, extras: { ...NO_EXTRAS, fileId } });

const names = async (store: JobStore, id: string) =>
  (await store.files((await find(store, id)).seq)).map(({ name }) => name);

/** Claims the only due job and ends its attempt with these artifacts. */
async function leave(store: JobStore, artifacts: Omit<Artifacts, "attempt">) {
  const job = await claimOne(store);
  const attempt = job.attempts + 1;
  const outcome = { event: "fail", error: EXIT_ERROR, dueAtMs: T0 } as const;
  const ended = { ...job, outcome, artifacts: { attempt, ...artifacts } };
  return { job, answers: (await store.settle([ended], HOLDER, T0)).answers };
}

export function filePromises({ test }: Suite): void {
  test("a file that comes in pieces is read in the same pieces", async (store) => {
    const file = await stage(store, ["one ", "two ", "three"]);
    assert.equal(await read(store, file), "one two three");
    assert.equal(await store.filePiece(file, 3), null);
  });

  test("a job has the file that it was added with, and its claim says so", async (store) => {
    const file = await stage(store, ["abc", "de"], { name: "data.csv" });
    await store.add([withFile("a", file), newJob({ id: "plain" })], T0);
    const { seq, hasFiles } = await find(store, "a");
    assert.equal(hasFiles, true);
    assert.equal((await find(store, "plain")).hasFiles, false);
    const [found, ...others] = await store.files(seq);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [found!.file, found!.role, found!.name, found!.bytes, found!.problem, found!.createdAtMs],
      [file, "input", "data.csv", 5, null, T0],
    );
    assert.equal((await claimOne(store)).hasFiles, true);
  });

  test("what a job has takes no further pieces and is not swept", async (store) => {
    const file = await stage(store, ["abc"]);
    await store.add([withFile("a", file)], T0);
    assert.equal(await store.appendFile({ file, n: 1, bytes: bytesOf("d") }, T0), false);
    await store.giveUpFile(file);
    assert.equal(await sweep(store, Number.MAX_SAFE_INTEGER), 0);
    assert.equal(await read(store, file), "abc");
  });

  test("a file gets one job only", async (store) => {
    const file = await stage(store, ["abc"]);
    await store.add([withFile("a", file)], T0);
    await assert.rejects(store.add([withFile("b", file)], T0), { code: "store-unavailable" });
    assert.equal(await store.find("b"), null);
    assert.deepEqual(await names(store, "a"), ["a.txt"]);
  });

  test("a job that cannot be added leaves its file without an owner", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const file = await stage(store, ["abc"]);
    assert.deepEqual((await store.add([withFile("a", file)], T0)).duplicates, ["a"]);
    await sweep(store);
    assert.equal(await read(store, file), null);
  });

  test("a file that was given up takes no pieces, gets no job, and is swept", async (store) => {
    const file = await stage(store, ["abc"]);
    await store.giveUpFile(file);
    assert.equal(await store.appendFile({ file, n: 1, bytes: bytesOf("d") }, T0), false);
    await assert.rejects(store.add([withFile("b", file)], T0), { code: "store-unavailable" });
    assert.ok(await sweep(store, 1) > 0);
    assert.equal(await read(store, file), null);
  });

  test("a file is swept when nothing was added to it for long, not before", async (store) => {
    const idle = await stage(store, ["idle"], { nowMs: T0 });
    const busy = await stage(store, ["busy"], { nowMs: T0 + 100 });
    await sweep(store, T0);
    assert.deepEqual([await read(store, idle), await read(store, busy)], ["idle", "busy"]);
    await sweep(store, T0 + 50);
    assert.deepEqual([await read(store, idle), await read(store, busy)], [null, "busy"]);
  });

  test("a file of many pieces is swept in several steps", async (store) => {
    const file = await stage(store, Array(100).fill("x"));
    await store.giveUpFile(file);
    assert.ok(await sweep(store) > 2);
    assert.equal(await read(store, file), null);
  });

  test("deleting a job, or purging the dead, leaves its files to be swept", async (store) => {
    const [one, other] = [await stage(store, ["one"]), await stage(store, ["other"])];
    await store.add([withFile("a", one)], T0);
    await store.remove("a", T0);
    await store.add([withFile("b", other)], T0);
    await buryOne(store);
    await store.purgeDead(10);
    await sweep(store);
    assert.deepEqual([await read(store, one), await read(store, other)], [null, null]);
  });

  test("an attempt's end keeps what it left, and says what it did not keep", async (store) => {
    const input = await stage(store, ["in"]);
    await store.add([withFile("a", input)], T0);
    const file = await stage(store, ["report"], { role: "artifact", name: "out/report.txt" });
    const { job, answers } = await leave(store, {
      kept: [{ file, name: "out/report.txt", bytes: 6 }],
      dropped: [{ name: "huge.bin", bytes: 10 ** 10, problem: "too large" }],
    });
    assert.deepEqual(answers, ["settled"]);
    const files = await store.files(job.seq);
    assert.deepEqual(
      files.map(({ role, name, bytes, problem, attempt }) => [role, name, bytes, problem, attempt]),
      [
        ["input", "a.txt", 2, null, null],
        ["artifact", "out/report.txt", 6, null, 1],
        ["artifact", "huge.bin", 10 ** 10, "too large", 1],
      ],
    );
    assert.equal(await read(store, file), "report");
  });

  test("artifacts make a plain job one that has files", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const file = await stage(store, ["x"], { role: "artifact" });
    await leave(store, { kept: [{ file, name: "a.txt", bytes: 1 }], dropped: [] });
    assert.equal((await find(store, "a")).hasFiles, true);
    await store.cancel("a", T0);
    await store.remove("a", T0);
    await sweep(store);
    assert.equal(await read(store, file), null);
  });

  test("what a later attempt leaves takes the place of what earlier ones left", async (store) => {
    await store.add([withFile("a", await stage(store, ["in"]))], T0);
    const first = await stage(store, ["1"], { role: "artifact", name: "one" });
    await leave(store, { kept: [{ file: first, name: "one", bytes: 1 }], dropped: [] });
    const second = await stage(store, ["2"], { role: "artifact", name: "two" });
    await leave(store, { kept: [{ file: second, name: "two", bytes: 1 }], dropped: [] });
    assert.deepEqual(await names(store, "a"), ["a.txt", "two"]);
    await leave(store, { kept: [], dropped: [] });
    assert.deepEqual(await names(store, "a"), ["a.txt"]);
    await sweep(store);
    assert.deepEqual([await read(store, first), await read(store, second)], [null, null]);
  });

  test("an attempt whose lease is lost keeps nothing of what it left", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const file = await stage(store, ["x"], { role: "artifact" });
    const job = await claimOne(store);
    const outcome = { event: "complete", result: "1" } as const;
    const artifacts = { attempt: 1, kept: [{ file, name: "x", bytes: 1 }], dropped: [] };
    const late = { ...job, token: job.token - 1, outcome, artifacts };
    assert.deepEqual((await store.settle([late], HOLDER, T0)).answers, ["lease-lost"]);
    assert.deepEqual(await names(store, "a"), []);
  });

  test("an artifact that was swept before its attempt ended is named as lost", async (store) => {
    await store.add([newJob({ id: "a" })], T0);
    const file = await stage(store, ["x"], { role: "artifact" });
    await sweep(store);
    const { job } = await leave(store, { kept: [{ file, name: "x", bytes: 1 }], dropped: [] });
    const [found] = await store.files(job.seq);
    assert.equal(found!.name, "x");
    assert.match(found!.problem!, /not kept/);
  });
}
