/** Work for a queue that is under attack: submits until told to stop, and what became of them. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { eventually } from "./eventually.ts";
import { execute } from "./postgres.ts";
import type { Running } from "./program.ts";

export interface Submitted {
  /** Of jobs that were acknowledged. */
  readonly ids: string[];
  /** How long each refusal took to come, in milliseconds. */
  readonly refusedAfterMs: number[];
}

/** Uploads one after the other; anything but an acknowledgement or an honest 503 is a failure. */
export class Submitter {
  readonly submitted: Submitted = { ids: [], refusedAfterMs: [] };
  readonly #api: Running;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(api: Running) {
    this.#api = api;
    this.#running = this.#run();
    this.#running.catch(() => {}); // told of by end()
  }

  /** Resolves when so many more have been acknowledged. */
  async acknowledges(more: number, timeoutMs = 60_000): Promise<void> {
    const { ids } = this.submitted;
    const enough = ids.length + more;
    await eventually(() => ids.length >= enough, {
      what: `${more} more jobs were acknowledged (${this.#api.recentLog()})`,
      timeoutMs,
    });
  }

  async end(): Promise<Submitted> {
    this.#isOver = true;
    await this.#running;
    return this.submitted;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const sinceMs = performance.now();
      const response = await fetch(`${this.#api.url}/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ kind: "count", payload: "four" }),
      });
      const body = await response.json();
      if (response.status === 201) this.submitted.ids.push(body.job_id);
      else {
        assert.equal(response.status, 503, JSON.stringify(body));
        assert.ok(response.headers.has("retry-after"), JSON.stringify(body));
        this.submitted.refusedAfterMs.push(performance.now() - sinceMs);
        await pause(50);
      }
    }
  }
}

/**
 * Waits until all of these are completed.
 *
 * @param url of the database as the driver of the tests can open it: with one host.
 */
export async function assertCompleted(
  url: string,
  ids: readonly string[],
  timeoutMs = 90_000,
): Promise<void> {
  let lost: string[] = [];
  await eventually(async () => {
    const rows = await execute(url, "SELECT id, state FROM jobs");
    const states = new Map(rows.map(({ id, state }) => [id, state]));
    lost = ids.filter((id) => states.get(id) !== "completed")
      .map((id) => `${id}: ${states.get(id) ?? "not there"}`);
    return lost.length === 0;
  }, { what: "all acknowledged jobs were completed", timeoutMs, everyMs: 200 })
    .catch((error) => {
      const shown = lost.slice(0, 10).join(", ");
      throw new Error(`${error.message}: ${lost.length} of ${ids.length} were not: ${shown}`);
    });
  // The kept sums are what a count says.
  const [sums] = await execute(
    url,
    "SELECT (SELECT sum(jobs)::int FROM counts WHERE state = 'completed') AS kept, " +
      "(SELECT count(*)::int FROM jobs WHERE state = 'completed') AS counted",
  );
  assert.equal(sums!["kept"], sums!["counted"]);
}
