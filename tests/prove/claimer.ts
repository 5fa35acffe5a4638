/**
 * One of many processes that claim from one database, for the experiment `claims`. Claims, and ends
 * what it got well, badly or not at all, by chance; writes down what it did, one JSON line each.
 *
 * Arguments: the database, its name as a holder, a seed, the file to write into. Begins when a file
 * `go` stands beside that, and ends when no job waits or runs any more.
 */
import { dirname, join } from "node:path";
import { isPostgresUrl } from "../../src/lib/database_url.ts";
import { pause } from "../../src/lib/pause.ts";
import { type AttemptEnd, decideOutcome } from "../../src/job/outcome.ts";
import type { LeasedJob } from "../../src/job/job.ts";
import { openStore } from "../../src/store/open.ts";
import { eventually } from "../helpers/eventually.ts";
import { between, oneOf, seededRandom } from "./random.ts";

/** What happened to one lease. All times are the machine's wall clock, in ms. */
export interface LeaseRecord {
  readonly id: string;
  readonly token: number;
  readonly holder: string;
  /**
   * Read within the transaction that claimed; after it where transactions run side by side, because
   * there it sees what others commit meanwhile.
   */
  readonly claimedAtMs: number;
  readonly expiresAtMs: number;
  /** Read before the transaction that ended it; null: it was left to lapse. */
  readonly endedAtMs: number | null;
  readonly end: AttemptEnd["type"] | "none";
  readonly answer: "settled" | "lease-lost" | "none";
}

const LEASE_MS = 300;
const BACKOFF = { base: 0.1, capMs: 100 };

async function main([db, holder, seed, path]: string[]): Promise<void> {
  const random = seededRandom(Number(seed));
  await using store = await openStore({
    db: db!,
    driver: "builtin",
    clock: Date.now,
    synchronous: () => "normal",
  });
  using file = Deno.openSync(path!, { create: true, write: true });
  const write = (records: readonly LeaseRecord[]) => {
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
  };

  const go = join(dirname(path!), "go");
  await eventually(() => Deno.statSync(go), { what: "it was let go", timeoutMs: 150_000 });
  while (true) {
    let nowMs = 0;
    const claimed = await store.claim(() => {
      nowMs = Date.now();
      return {
        ...{ holder: holder!, nowMs, leaseExpiresAtMs: nowMs + LEASE_MS },
        slots: ["w-1", "w-2"],
        chunk: { count: 16 },
        chunkBytes: 1_000_000,
      };
    });
    const jobs = claimed.slots.flatMap((slot) => slot.jobs);
    const claimedAtMs = isPostgresUrl(db!) ? Date.now() : nowMs;
    const expiresAtMs = nowMs + LEASE_MS;
    if (jobs.length > 0) write(await endAll(jobs, { claimedAtMs, expiresAtMs }));
    await store.reap({
      ...{ nowMs: Date.now(), leaseMs: LEASE_MS, backoff: BACKOFF, deadHolders: [], limit: 100 },
    });
    if (jobs.length === 0) {
      const { counts } = await store.stats(Date.now());
      if (counts.pending + counts.failed + counts.started + counts.processing === 0) return;
      await pause(10);
    }
  }

  async function endAll(
    jobs: readonly LeasedJob[],
    times: Pick<LeaseRecord, "claimedAtMs" | "expiresAtMs">,
  ): Promise<LeaseRecord[]> {
    // Now and then it dawdles past its lease, as a paused process would.
    if (random() < 0.03) await pause(LEASE_MS + between(random, 1, 100));
    const ends = jobs.map((job) => ({ job, end: random() < 0.02 ? null : anyEnd() }));
    const ended = ends.flatMap(({ job, end }) => end === null ? [] : [{ job, end }]);
    const endedAtMs = Date.now();
    const { answers } = await store.settle(
      ended.map(({ job, end }) => ({
        ...{ seq: job.seq, token: job.token },
        outcome: decideOutcome(end, job, {
          nowMs: endedAtMs,
          backoff: BACKOFF,
          random: Math.random,
        }),
      })),
      holder!,
      endedAtMs,
    );
    return ends.map(({ job, end }): LeaseRecord => ({
      ...{ id: job.id, token: job.token, holder: holder!, ...times },
      endedAtMs: end === null ? null : endedAtMs,
      end: end?.type ?? "none",
      answer: end === null ? "none" : answers[ended.findIndex((one) => one.job === job)]!,
    }));
  }

  function anyEnd(): AttemptEnd {
    if (random() < 0.9) return { type: "succeeded", result: '{"characters":1}' };
    return oneOf<AttemptEnd>(random, [
      { type: "failed", error: { code: "error", message: "by chance" } },
      { type: "released" },
    ]);
  }
}

if (import.meta.main) await main(Deno.args);
