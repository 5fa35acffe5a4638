/**
 * Somebody who follows what happens, and comes back with the last id whenever the server was killed:
 * the end of every job is told, once, and nothing is said to be missing.
 */
import { pause, within } from "../../../src/lib/pause.ts";
import { isFinished } from "../../../src/job/state.ts";
import { eventually } from "../../helpers/eventually.ts";
import { none } from "../experiment.ts";
import type { Errand } from "./errand.ts";

const RETRY_MS = 20;
const STOP_LIMIT_MS = 2_000;

/** From the last commit until it was told. */
const LIMIT_MS = 10_000;

export function events(url: () => string): Errand {
  const follower = new Follower(url);
  let sinceMs = 0;
  return {
    name: "events",
    async begin() {
      follower.start();
      await eventually(() => follower.lastId !== "", { what: "somebody follows" });
      sinceMs = Date.now();
    },
    go: () => Promise.resolve(),
    async audit({ jobs }) {
      const ends = jobs.filter(({ state, createdAtMs }) =>
        isFinished(state) && createdAtMs > sinceMs
      ).map(({ id, state }) => `${id} ${state}`);
      const untold = () => ends.filter((end) => !follower.ends.has(end));
      await eventually(() => untold().length === 0, {
        what: "every end was told",
        timeoutMs: LIMIT_MS,
        everyMs: 50,
      }).catch(() => {}); // it is a figure
      await follower.stop();
      return [
        { what: "events: heard", found: follower.heard, wanted: { atLeast: 1 } },
        { what: "events: times that the follower came back", found: follower.returns },
        none("events: ends of jobs that were not told", untold()),
        none("events: ids that did not rise", follower.fallen),
        { what: "events: gaps", found: follower.gaps, wanted: { is: 0 } },
      ];
    },
  };
}

/** A reader of server-sent events that comes back as a browser does. */
class Follower {
  lastId = "";
  heard = 0;
  gaps = 0;
  returns = 0;
  /** `ID STATE` of jobs whose end was told. */
  readonly ends = new Set<string>();
  readonly fallen: string[] = [];
  readonly #url: () => string;
  readonly #controller = new AbortController();
  #reader: ReadableStreamDefaultReader<string> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(url: () => string) {
    this.#url = url;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    // The runtime does not always end a body that is being read when its request is aborted.
    this.#reader?.cancel().catch(() => {});
    await within(this.#running, STOP_LIMIT_MS);
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    for (; !signal.aborted; this.returns++) {
      try {
        const headers = new Headers();
        if (this.lastId !== "") headers.set("last-event-id", this.lastId);
        const { body } = await fetch(`${this.#url()}/events`, { signal, headers });
        this.#reader = body!.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        while (true) {
          const { value, done } = await this.#reader.read();
          if (done) break;
          const blocks = (text + value).split("\n\n");
          text = blocks.pop()!;
          for (const block of blocks) this.#take(block);
        }
      } catch { /* the server was killed */ }
      await pause(RETRY_MS);
    }
  }

  #take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    const [id, event] = [field("id"), field("event")];
    if (event === undefined) {
      if (this.lastId === "") this.lastId = id ?? "";
      return;
    }
    this.heard++;
    if (event === "gap") this.gaps++;
    else if (!isAfter(id!, this.lastId)) this.fallen.push(`${id} after ${this.lastId}`);
    this.lastId = id!;
    const { job_id, state } = JSON.parse(field("data")!);
    if (/^job\.(completed|dead|cancelled)$/.test(event)) this.ends.add(`${job_id} ${state}`);
  }
}

/** Whether `BATCH.INDEX` is after `BATCH` or `BATCH.INDEX`. */
function isAfter(id: string, before: string): boolean {
  const [batch = 0, index = Infinity] = id.split(".").map(Number);
  const [batchBefore = 0, indexBefore = Infinity] = before.split(".").map(Number);
  return batch > batchBefore || (batch === batchBefore && index > indexBefore);
}
