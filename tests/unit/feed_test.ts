/** What the live feed does when the store is not what it was: on a standby that has taken over. */
import assert from "node:assert/strict";
import { EventFeed } from "../../src/queue/feed.ts";
import type { JobStore, JournalBatch } from "../../src/store/store.ts";

Deno.test("a journal that has gone back is followed from where it is now, and a gap is told", async () => {
  const batch = (id: number): JournalBatch => ({
    ...{ id, atMs: 0 },
    events: [{ type: "gap" }],
  });
  let lastId = 100;
  const store = {
    follow: () => Promise.resolve(lastId),
    journal: ({ afterId }: { afterId: number }) =>
      Promise.resolve({ oldestId: 1, batches: afterId < lastId ? [batch(afterId + 1)] : [] }),
    watch: () => ({ [Symbol.dispose]: () => {} }),
    watchOwn: () => ({ [Symbol.dispose]: () => {} }),
  } as unknown as JobStore;
  // The renewal comes every ten seconds; here it comes when it is asked for.
  const everyMs = globalThis.setInterval;
  const ticks: (() => void)[] = [];
  globalThis.setInterval = ((tick: () => void) => ticks.push(tick)) as unknown as typeof everyMs;
  const ending = new AbortController();
  try {
    const feed = new EventFeed(store, () => 0);
    const told = feed.follow({ after: null, filter: {}, signal: ending.signal });
    assert.deepEqual((await told.next()).value, { batch: 100, index: Number.MAX_SAFE_INTEGER });
    const next = told.next();
    lastId = 40; // and those up to 100 are gone
    for (const tick of ticks) tick();
    const gap = (await next).value;
    assert.ok("event" in gap && gap.event.type === "gap" && gap.at.batch === 40, String(gap));
    lastId = 41;
    for (const tick of ticks) tick();
    const event = (await told.next()).value;
    assert.ok("at" in event && event.at.batch === 41, String(event));
    ending.abort();
    await told.return(undefined);
  } finally {
    globalThis.setInterval = everyMs;
  }
});
