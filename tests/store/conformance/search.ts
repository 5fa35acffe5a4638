/** The promises of search: what is found, in which order, and that it ends in bounded time. */
import assert from "node:assert/strict";
import { parseSearch } from "../../../src/job/search.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { newJob, newJobs, T0 } from "../../helpers/jobs.ts";
import { claimOne, HOLDER, settleOne, type Suite } from "./harness.ts";

async function found(store: JobStore, text: string): Promise<string[]> {
  const { jobs, nextSeq } = await store.search({ terms: parseSearch(text), limit: 100 });
  assert.equal(nextSeq, null);
  return jobs.map(({ id }) => id);
}

async function library(store: JobStore): Promise<void> {
  await store.add([
    newJob({ id: "a", queue: "mail", kind: "send", payload: '{"user":7,"to":["x@y.example"]}' }),
    newJob({ id: "b", queue: "mail", kind: "send", payload: '{"user":"eight","note":"100%"}' }),
    newJob({ id: "c", kind: "command", payload: '{"command":"echo Hello","cwd":null}' }),
    newJob({ id: "d", payload: new TextEncoder().encode("an upload that says HELLO") }),
    newJob({
      id: "e",
      kind: "send",
      payload: JSON.stringify({ text: "y".repeat(5_000), user: 9 }),
    }),
  ], T0);
}

export function searchPromises({ test }: Suite): void {
  const expectations: [text: string, ids: string[]][] = [
    ["", ["e", "d", "c", "b", "a"]],
    ["queue:mail", ["b", "a"]],
    ["-queue:mail", ["e", "d", "c"]],
    ["kind:send -queue:mail", ["e"]],
    ["payload.user:7", ["a"]],
    ["payload.user:EIGHT", ["b"]],
    ["payload.user:ei*", ["b"]],
    ["payload.note:100%", ["b"]],
    ["payload.note:1%", []],
    ["payload.to.0:x@*", ["a"]],
    ["payload.user:9", ["e"]],
    ["hello", ["d", "c"]],
    ["HELLO", ["d", "c"]],
    ["payload:yyyyy", ["e"]],
    ["id:a", ["a"]],
    ["state:pending id:b", ["b"]],
    ["state:dead", []],
    ["nobody-has-this", []],
    ["after:2030-01-01", []],
    ["before:2030-01-01 id:c", ["c"]],
  ];
  for (const [text, ids] of expectations) {
    test(`search(${JSON.stringify(text)}) finds ${ids.join(" ") || "nothing"}`, async (store) => {
      await library(store);
      assert.deepEqual(await found(store, text), ids);
    });
  }

  test("search() looks into errors and output", async (store) => {
    await store.add([newJob({ id: "a", kind: "command" })], T0);
    const lease = await claimOne(store);
    const bytes = new TextEncoder().encode("No Space left on device\n");
    await store.appendOutput(lease, HOLDER, [{ stream: "stderr", bytes }]);
    const error = { code: "exit", message: "exit code 28" } as const;
    await settleOne(store, lease, { event: "bury", error });
    assert.deepEqual(await found(store, 'output:"no space"'), ["a"]);
    assert.deepEqual(await found(store, '"no space" state:dead'), ["a"]);
    assert.deepEqual(await found(store, "error:28"), ["a"]);
    assert.deepEqual(await found(store, "-error:28"), []);
    assert.deepEqual(await found(store, "output:28"), []);
  });

  test("search() comes in pages that leave nothing out and repeat nothing", async (store) => {
    await store.add(newJobs(7_000, { queue: "mail" }), T0);
    await store.add([newJob({ id: "needle" })], T0);
    const terms = parseSearch("queue:mail");
    const ids: string[] = [];
    let beforeSeq: number | undefined;
    do {
      const page = await store.search({ terms, limit: 999, beforeSeq });
      ids.push(...page.jobs.map(({ id }) => id));
      beforeSeq = page.nextSeq ?? undefined;
    } while (beforeSeq !== undefined);
    assert.equal(ids.length, 7_000);
    assert.equal(new Set(ids).size, 7_000);
  });

  test("search() that runs out of patience says so and can go on", async (store) => {
    await store.add([newJob({ id: "needle" })], T0);
    await store.add(newJobs(9_000), T0);
    const query = { terms: parseSearch("id:needle"), limit: 10, patienceMs: -1 };
    let page = await store.search(query);
    assert.deepEqual(page.jobs, []);
    assert.notEqual(page.nextSeq, null);
    let steps = 0;
    while (page.nextSeq !== null && steps++ < 20) {
      page = await store.search({ ...query, beforeSeq: page.nextSeq });
      if (page.jobs.length > 0) break;
    }
    assert.deepEqual(page.jobs.map(({ id }) => id), ["needle"]);
  });
}
