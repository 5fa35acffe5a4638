/** What happens, as it happens: `GET /events`. */
import assert from "node:assert/strict";
import type { Call } from "../../src/http/context.ts";
import { getEvents } from "../../src/http/routes/events.ts";
import { EventFeed } from "../../src/queue/feed.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertProblem, type HttpBench, httpBench } from "../helpers/http.ts";
import { EXIT_ERROR } from "../store/conformance/harness.ts";

interface Heard {
  readonly id: string | null;
  readonly event: string;
  // deno-lint-ignore no-explicit-any -- shapes differ with the event
  readonly data: any;
}

/** A reader of server-sent events, as a browser is one. */
class Listener implements AsyncDisposable {
  lastId: string | null = null;
  readonly heard: Heard[] = [];
  readonly #controller = new AbortController();
  #reader!: ReadableStreamDefaultReader<string>;
  #text = "";

  static async open(bench: HttpBench, query = "", headers: Record<string, string> = {}) {
    const listener = new Listener();
    const response = await fetch(`${bench.server.url}/events${query}`, {
      headers,
      signal: listener.#controller.signal,
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
    listener.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    await listener.until(() => listener.lastId !== null);
    return listener;
  }

  /** Reads until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { value, done } = await within(this.#reader.read(), () => JSON.stringify(this.heard));
      assert.ok(!done, `the stream ended after ${JSON.stringify(this.heard)}`);
      this.#text += value;
      const blocks = this.#text.split("\n\n");
      this.#text = blocks.pop()!;
      for (const block of blocks) this.#take(block);
    }
  }

  async untilTypes(...types: string[]): Promise<void> {
    await this.until(() => this.heard.length >= types.length);
    assert.deepEqual(this.heard.map(({ event }) => event), types);
  }

  /** Whether the server has ended the stream. */
  async ended(): Promise<boolean> {
    return (await within(this.#reader.read(), () => "the stream has not ended")).done;
  }

  #take(block: string): void {
    const fields = new Map(
      block.split("\n").map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
      }),
    );
    this.lastId = fields.get("id") ?? this.lastId;
    const event = fields.get("event");
    if (event !== undefined) {
      this.heard.push({ id: this.lastId, event, data: JSON.parse(fields.get("data")!) });
    }
  }

  async [Symbol.asyncDispose]() {
    await this.#reader.cancel().catch(() => {});
    this.#controller.abort();
  }
}

/** What the promise brings, soon; else the test fails and says how far it came. */
async function within<T>(promise: Promise<T>, progress: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing more came: ${progress()}`)), 30_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("GET /events tells the whole life of a job, in order, with rising ids", async () => {
  await using bench = await httpBench();
  await using listener = await Listener.open(bench);
  const id = await bench.addCount("x", { queue: "mail" });
  await bench.settle({ event: "fail", error: EXIT_ERROR, dueAtMs: Date.now() - 1 });
  await bench.settle({ event: "bury", error: EXIT_ERROR });
  await bench.queue.requeue(id);
  await bench.settle({ event: "complete", result: "1" });
  await bench.queue.remove(id);
  await listener.untilTypes(
    "job.added",
    "job.started",
    "job.processing",
    "job.failed",
    "job.started",
    "job.processing",
    "job.dead",
    "job.requeued",
    "job.started",
    "job.processing",
    "job.completed",
    "job.deleted",
  );
  assert.ok(listener.heard.every(({ data }) => data.job_id === id && data.queue === "mail"));
  assert.deepEqual(listener.heard[3]!.data.error, EXIT_ERROR.message);
  assert.deepEqual(
    listener.heard.map(({ data }) => data.attempt),
    [0, 1, 1, 1, 2, 2, 2, 0, 1, 1, 1, 0],
  );
  const places = listener.heard.map(({ id }) => id!.split(".").map(Number));
  for (const [index, [batch, place]] of places.entries()) {
    const [before = 0, beforePlace = 0] = places[index - 1] ?? [];
    assert.ok(batch! > before || (batch === before && place! > beforePlace), String(places));
  }
});

Deno.test("a job that is cancelled while it waits, and one that is given back, are told", async () => {
  await using bench = await httpBench();
  await using listener = await Listener.open(bench);
  await bench.queue.cancel(await bench.addCount());
  await bench.addCount();
  await bench.settle({ event: "release" });
  await listener.untilTypes(
    "job.added",
    "job.cancelled",
    "job.added",
    "job.started",
    "job.processing",
    "job.released",
  );
});

Deno.test("who comes back with the last id misses nothing and hears nothing twice", async () => {
  await using bench = await httpBench();
  await using other = await Listener.open(bench); // somebody follows all the time
  const ids = [await bench.addCount(), await bench.addCount(), await bench.addCount()];
  let last: string;
  {
    await using listener = await Listener.open(bench, "?last_event_id=0");
    await listener.until(() => listener.heard.some(({ data }) => data.job_id === ids[1]));
    last = listener.heard.find(({ data }) => data.job_id === ids[1])!.id!;
  }
  const later = await bench.addCount();
  await using back = await Listener.open(bench, "", { "last-event-id": last });
  await back.until(() => back.heard.length >= 2);
  assert.deepEqual(back.heard.map(({ data }) => data.job_id), [ids[2], later]);
  await other.until(() => other.heard.length >= 4);
});

Deno.test("events of one batch are told apart: going on in its middle works", async () => {
  await using bench = await httpBench();
  await using listener = await Listener.open(bench);
  const jobs = [1, 2, 3, 4].map((n) => ({ id: `job-${n}`, kind: "count", payload: "x" }));
  await bench.post("/jobs/batch", jobs);
  await listener.until(() => listener.heard.length === 4);
  await using back = await Listener.open(bench, `?last_event_id=${listener.heard[1]!.id}`);
  await back.until(() => back.heard.length === 2);
  assert.deepEqual(back.heard.map(({ data }) => data.job_id), ["job-3", "job-4"]);
});

Deno.test("what happened while nobody followed is said to be missing", async () => {
  await using bench = await httpBench();
  let last: string;
  {
    await using listener = await Listener.open(bench);
    await bench.addCount();
    await listener.untilTypes("job.added");
    last = listener.lastId!;
  }
  // As if it were long ago that somebody followed.
  await bench.store.follow(0);
  await bench.addCount();
  await using back = await Listener.open(bench, "", { "last-event-id": last });
  await back.until(() => back.heard.length >= 1);
  assert.equal(back.heard[0]!.event, "gap");
});

Deno.test("filters: by job, queue, kind and state", async () => {
  await using bench = await httpBench();
  await using byQueue = await Listener.open(bench, "?queue=mail");
  await using byState = await Listener.open(bench, "?state=completed,dead");
  const wanted = await bench.addCount("x", { id: "wanted", queue: "mail" });
  await using byJob = await Listener.open(bench, `?job=${wanted}&last_event_id=1`);
  await bench.addCount("x", { queue: "other" });
  await bench.settle({ event: "complete", result: "1" });
  await bench.settle({ event: "complete", result: "1" });
  await byQueue.untilTypes("job.added", "job.started", "job.processing", "job.completed");
  await byState.untilTypes("job.completed", "job.completed");
  await byJob.until(() => byJob.heard.at(-1)?.event === "job.completed");
  const heard = byJob.heard.filter(({ event }) => event !== "gap");
  assert.ok(heard.every(({ data }) => data.job_id === wanted));
});

for (const query of ["?state=done", "?nonsense=1", "?last_event_id=x", "?queue=a%20b"]) {
  Deno.test(`GET /events${query} is refused with what was expected`, async () => {
    await using bench = await httpBench();
    assertProblem(await bench.call(`/events${query}`), 422);
  });
}

Deno.test("a server that closes ends the streams of events at once", async () => {
  await using bench = await httpBench({ closeMs: 60_000 });
  await using listener = await Listener.open(bench);
  const startedMs = performance.now();
  await bench.server.close();
  assert.ok(await listener.ended());
  assert.ok(performance.now() - startedMs < 30_000);
});

Deno.test("who goes away without having read what came follows no longer", async () => {
  await using bench = await httpBench();
  const feed = new EventFeed(bench.store, Date.now);
  const request = new Request("http://localhost/events");
  const { body } = getEvents({ request, query: "", services: { feed } } as unknown as Call);
  const reader = body!.getReader();
  await reader.read();
  await eventually(() => feed.size === 1, { what: "it followed" });
  await bench.addCount(); // it has read nothing since
  await reader.cancel();
  await eventually(() => feed.size === 0, { what: "it followed no longer" });
});

Deno.test("while nobody follows nothing is written down", async () => {
  await using bench = await httpBench();
  await bench.addCount();
  await bench.settle({ event: "complete", result: "1" });
  assert.deepEqual(await bench.store.journal({ afterId: 0, limit: 10 }), {
    oldestId: null,
    batches: [],
  });
});
