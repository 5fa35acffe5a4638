/**
 * What a move of a queue promises, whichever databases it goes between. Owns the promises; knows no
 * backend.
 */
import assert from "node:assert/strict";
import { ConflictError, InvalidInputError, StoreUnavailableError } from "../../src/job/errors.ts";
import {
  type MoveOptions,
  type MoveProgress,
  moveQueue,
  type MoveReport,
  undoMove,
} from "../../src/queue/move.ts";
import { openStore, openTransferSide } from "../../src/store/open.ts";
import { MOVED_TABLES } from "../../src/store/shared/tables.ts";
import type { JobStore } from "../../src/store/store.ts";
import { contentOf, fillQueue, RUNNING_ID } from "../helpers/full_queue.ts";
import { newJob, newJobs, T0 } from "../helpers/jobs.ts";
import { find, LEASE_MS, reap, settleOne } from "./conformance/harness.ts";

/** An empty database of one's own. */
export interface Place extends AsyncDisposable {
  readonly db: string;
  /** Runs statements beside the program. */
  execute(sql: string): Promise<void>;
}

export interface Ways {
  /** Where the queue is, and where it comes back to. */
  readonly here: () => Promise<Place>;
  readonly there: () => Promise<Place>;
}

export function open({ db }: Pick<Place, "db">): Promise<JobStore> {
  return openStore({ db, driver: "builtin", clock: () => T0, synchronous: () => "full" });
}

/** Fills a database. What a crash left to tell stands in it, too: see the table endings. */
export async function fill(place: Place): Promise<void> {
  {
    await using store = await open(place);
    await fillQueue(store);
  }
  await place.execute(
    "INSERT INTO endings (seq, state, at, told_seq) VALUES (1, 'completed', 1, 0)",
  );
}

export function move(
  from: Place,
  to: Place,
  options: Partial<MoveOptions> = {},
): Promise<MoveReport> {
  let made = 0;
  return moveQueue({
    ...{ from: from.db, to: to.db, driver: "builtin", isSourceKept: false, clock: () => T0 },
    newId: () => `move-${Date.now()}-${made++}`,
    ...options,
  });
}

export async function assertRefused(place: Place, message: RegExp): Promise<void> {
  await assert.rejects(open(place), (error) => {
    assert.ok(error instanceof StoreUnavailableError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

/** Registers the promises for moves between the two kinds of databases. */
export function movingSuite(name: string, { here, there }: Ways): void {
  const test = (
    promise: string,
    prove: (places: { from: Place; to: Place }) => Promise<void>,
  ) =>
    Deno.test(`${name}: ${promise}`, async () => {
      await using from = await here();
      await using to = await there();
      await prove({ from, to });
    });

  test("there and back again everything is as it was, in every table", async ({ from, to }) => {
    await using back = await here();
    await fill(from);
    const before = await (async () => {
      await using store = await open(from);
      return await contentOf(store);
    })();
    const there = await move(from, to);
    assert.deepEqual(there.tables.map(({ table }) => table), MOVED_TABLES.map(({ name }) => name));
    assert.deepEqual(there.tables.filter(({ rows }) => rows === 0), [], "every table has rows");
    await (async () => {
      await using store = await open(to);
      assert.deepEqual(await contentOf(store), before);
    })();
    const backAgain = await move(to, back);
    assert.deepEqual(backAgain.tables, there.tables);
    await using store = await open(back);
    assert.deepEqual(await contentOf(store), before);
  });

  test("a job that ran is taken back by the reaper there, and its worker comes too late", async (places) => {
    await fill(places.from);
    await move(places.from, places.to);
    await using store = await open(places.to);
    const old = await find(store, RUNNING_ID);
    assert.equal(old.state, "processing");
    const reaped = await reap(store, { nowMs: T0 + LEASE_MS });
    assert.deepEqual(reaped.map(({ id }) => id), [RUNNING_ID]);
    const late = await settleOne(store, old, { event: "complete", result: "1" });
    assert.equal(late, "lease-lost");
    assert.equal((await find(store, RUNNING_ID)).attempts, 1);
  });

  test("no number is given out twice, and who follows is told of a gap", async ({ from, to }) => {
    let lastId: number;
    {
      await using store = await open(from);
      await fillQueue(store);
      await store.add([newJob({ id: "last" })], T0);
      await store.cancel("last", T0);
      await store.remove("last", T0);
      lastId = await store.follow(T0 + 1);
    }
    const lastSeq = await (async () => {
      await using store = await open(from);
      return (await find(store, RUNNING_ID)).seq + 1;
    })();
    await move(from, to);
    await using store = await open(to);
    await store.add([newJob({ id: "next" })], T0);
    assert.ok((await find(store, "next")).seq > lastSeq, "the removed job's number");
    const file = { role: "input", name: "x", mediaType: null, expectedBytes: 0 } as const;
    assert.ok(await store.beginFile(file, T0) > 2);
    await store.follow(T0 + 1_000);
    const { batches } = await store.journal({ afterId: lastId, limit: 10 });
    assert.deepEqual(batches[0]?.events, [{ type: "gap" }]);
    assert.ok(batches[0]!.id > lastId);
  });

  test("afterwards the old one is refused and says where the queue is; undo lets it be used", async ({ from, to }) => {
    await fill(from);
    await move(from, to);
    await assertRefused(from, /was moved to .* at 2025-06-15T15:06:40\.000Z.*migrate --undo/);
    const again = await move(from, to);
    assert.equal(again.wasDone, true);
    await using third = await there();
    await assert.rejects(move(from, third), /was moved to/);
    await undoMove({ db: from.db, driver: "builtin" });
    await using store = await open(from);
    assert.ok(await store.find("told"));
    await assert.rejects(undoMove({ db: to.db, driver: "builtin" }), ConflictError);
  });

  test("the old one can be kept", async ({ from, to }) => {
    await fill(from);
    await move(from, to, { isSourceKept: true });
    for (const place of [from, to]) {
      await using store = await open(place);
      assert.ok(await store.find("told"));
    }
  });

  test("interrupted at any step, neither can be used, and the same move goes on to its end", async ({ from, to }) => {
    {
      await using store = await open(from);
      await fillQueue(store);
      await store.add(newJobs(2_500), T0);
    }
    const steps = await countSteps(from, there);
    for (let step = 1; step <= steps; step += Math.ceil(Math.random() * 6)) {
      let left = step;
      const onProgress = () => {
        if (--left === 0) throw new Error("interrupted");
      };
      const error = await move(from, to, { onProgress }).then(() => null, (error) => error);
      if (error === null) break; // what was left took fewer steps
      assert.equal(error.message, "interrupted");
      await assertRefused(from, /is being moved to .*run the same queuectl migrate again/);
      await assertRefused(to, /is not complete: a queue is being moved into it from/);
    }
    await using other = await there();
    await move(from, to);
    const expected = await (async () => {
      await using copy = await open(to);
      return await contentOf(copy);
    })();
    await undoMove({ db: from.db, driver: "builtin" });
    const report = await move(from, other, { isSourceKept: true });
    assert.equal(report.tables.find(({ table }) => table === "jobs")!.rows >= 2_500, true);
    await using store = await open(from);
    assert.deepEqual(await contentOf(store), expected);
  });

  test("a database that holds something is not moved into, and nothing changes", async ({ from, to }) => {
    await fill(from);
    {
      await using store = await open(to);
      await store.configSet("max-retries", "1");
    }
    await assert.rejects(move(from, to), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, /is not empty: something stands in config; expected a new file/);
      return true;
    });
    for (const place of [from, to]) await (await open(place))[Symbol.asyncDispose]();
  });

  test("a database that is half full of another queue is refused", async ({ from, to }) => {
    await fill(from);
    const stop = () => {
      throw new Error("interrupted");
    };
    await assert.rejects(move(from, to, { onProgress: stop }), /interrupted/);
    await using stranger = await here();
    await (await open(stranger))[Symbol.asyncDispose]();
    await assert.rejects(move(stranger, to), /is not complete: a queue is being moved into it/);
    await (await open(stranger))[Symbol.asyncDispose]();
    // Given up and begun anew: what was copied may be old.
    await undoMove({ db: from.db, driver: "builtin" });
    await assert.rejects(move(from, to), /is not complete/);
    await (await open(from))[Symbol.asyncDispose]();
  });

  test("a row that did not arrive as it was is noticed: the old one stays, the new one is refused", async ({ from, to }) => {
    await fill(from);
    const onProgress = ({ table }: MoveProgress) => {
      if (table === "tokens") throw new Error("interrupted");
    };
    await assert.rejects(move(from, to, { onProgress }), /interrupted/);
    await to.execute("UPDATE jobs SET priority = 1 WHERE id = 'told'");
    await assert.rejects(move(from, to), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, /the table jobs did not arrive as it was: (\d+) rows.*, \1 with/);
      return true;
    });
    await assertRefused(to, /is not complete/);
    await using store = await open(from);
    assert.ok(await store.find("told"));
  });

  test("rows are taken only after the last one, and only of the move that goes on", async ({ to }) => {
    await using side = await openTransferSide({ db: to.db, driver: "builtin", isSource: false });
    const mark = { id: "m", state: "arriving", other: "x", atMs: T0 } as const;
    await side.exclusively(() => mark);
    const table = MOVED_TABLES.find(({ name }) => name === "kinds")!;
    const put = (kind: string, after: string | null, id: string = mark.id) =>
      side.put(table, [[kind, T0]], { after: after === null ? null : [after], id });
    await put("a", null);
    await assert.rejects(put("c", null), /another process has changed the database/);
    await assert.rejects(put("c", "b"), ConflictError);
    await assert.rejects(put("b", "a", "another"), ConflictError);
    await put("b", "a");
    assert.deepEqual(await side.lastKey(table), ["b"]);
    assert.equal(await side.changeMark(mark, null, T0), true);
    assert.equal(await side.changeMark(mark, null, T0), false);
    await assert.rejects(put("c", "b"), ConflictError);
  });

  test("the same database twice, and one that holds no queue, are refused", async ({ from, to }) => {
    await fill(from);
    await assert.rejects(move(from, from), InvalidInputError);
    await (await open(from))[Symbol.asyncDispose]();
    await assert.rejects(move(to, from), /there is no database|holds no queue/);
  });
}

/** How often a whole move tells of its progress. */
async function countSteps(from: Place, there: Ways["there"]): Promise<number> {
  await using scratch = await there();
  let steps = 0;
  await move(from, scratch, { isSourceKept: true, onProgress: () => void steps++ });
  return steps;
}
