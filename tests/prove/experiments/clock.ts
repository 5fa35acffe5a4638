/**
 * The machine's clock is set forward and back by an hour and by a day, while jobs run, wait, wait for
 * a retry or for their time. Two engines share one database and one such clock, as two processes of
 * a machine do. Nothing may run before its time, run twice or be left waiting because of it.
 */
import { startEngine } from "../../../src/supervisor/engine.ts";
import { PAYLOAD_PARSERS } from "../../../src/handlers/registry.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { newId } from "../../../src/lib/ids.ts";
import { Queue } from "../../../src/queue/queue.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { eventually } from "../../helpers/eventually.ts";
import { testSettings } from "../../helpers/http.ts";
import { tempStore } from "../../helpers/temp_store.ts";
import { type Experiment, type Figure, none, type ProveContext, worst } from "../experiment.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const JUMPS: readonly (readonly [string, number])[] = [
  ["an hour forward", HOUR],
  ["an hour back", -HOUR],
  ["a day forward", DAY],
  ["a day back", -DAY],
];

/** Each has a database and a clock of its own, and mostly waits. */
const SIDE_BY_SIDE = 2;

const LEASE_MS = 3_000;
const REAP_MS = 250;
/** After a jump, until everything that is due has been done: a lease, the work, a busy machine. */
const LIMIT_MS = 30_000;

/** So long that the lease has to be renewed, and that the jump finds it running. */
const LONG = "sleep 5";
/** Its first attempt fails; the second is due so much later. */
const FAILS_ONCE = '[ "$QUEUECTL_ATTEMPT" = 2 ]';
const BACKOFF_BASE = 5;

export const clock: Experiment = {
  name: "clock",
  about: "the clock jumps by an hour and a day, both ways: no early run, no double run, none stuck",
  limitMs: () => 400_000,

  async run({ progress }: ProveContext): Promise<Figure[]> {
    const figures = new Map<string, Figure[]>();
    const jumps = JUMPS.values();
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (const [name, deltaMs] of jumps) {
        progress(name);
        figures.set(name, await jump(name, deltaMs));
      }
    }));
    return JUMPS.flatMap(([name]) => figures.get(name)!);
  },
};

/** What is asked of the queue before the clock jumps. */
interface Wish {
  readonly id: string;
  readonly command: string;
  /** After the moment of adding; null: as soon as possible. */
  readonly delayMs: number | null;
  readonly attempts: number;
}

const WISHES: readonly Wish[] = [
  ...wishes("running", 3, { command: LONG, delayMs: null, attempts: 1 }),
  ...wishes("retried", 2, { command: FAILS_ONCE, delayMs: null, attempts: 2 }),
  ...wishes("waiting", 10, { command: "true", delayMs: null, attempts: 1 }),
  ...[30 * MINUTE, 2 * HOUR, 12 * HOUR, 2 * DAY].flatMap((delayMs) =>
    wishes(`in-${delayMs / MINUTE}-minutes`, 2, { command: "true", delayMs, attempts: 1 })
  ),
];

function wishes(name: string, count: number, wish: Omit<Wish, "id">): Wish[] {
  return Array.from({ length: count }, (_, index) => ({ id: `${name}-${index}`, ...wish }));
}

async function jump(name: string, deltaMs: number): Promise<Figure[]> {
  await using temp = await tempStore();
  let offsetMs = 0;
  const now: Clock = () => Date.now() + offsetMs;
  await using first = await Side.start(temp.store, now, 3);
  await using second = await Side.start(await temp.openAgain(), now, 1);
  const sides = [first, second];
  const addedAtMs = now();
  // Those that fail go first, so that the jump finds them waiting for their second attempt.
  const priority = (wish: Wish) => wish.attempts === 2 ? 2 : wish.command === LONG ? 1 : 0;
  await first.queue.addAll(WISHES.map((wish) => ({
    id: wish.id,
    command: wish.command,
    priority: priority(wish),
    ...(wish.delayMs === null ? {} : { delay: wish.delayMs / 1_000 }),
  })));
  const long = WISHES.filter(({ command }) => command === LONG);
  await eventually(() => long.every(({ id }) => sides.some(({ running }) => running.has(id))), {
    what: "the long ones were running",
  });
  await eventually(async () => {
    const { counts } = await temp.store.stats(now());
    return counts.failed === 2 && counts.processing >= 3;
  }, { what: "jobs were running, and others waited for a retry" });

  offsetMs += deltaMs;
  const jumpedAtMs = performance.now();
  const due = WISHES.filter(({ delayMs }) => delayMs === null || addedAtMs + delayMs <= now());
  const stuck = await eventually(async () => {
    const jobs = await Promise.all(due.map(({ id }) => temp.store.find(id)));
    return jobs.every((job) => job!.state === "completed");
  }, { what: "every due job was completed", timeoutMs: LIMIT_MS, everyMs: 50 })
    .then(() => [] as string[], async () => {
      const jobs = await Promise.all(due.map(({ id }) => temp.store.find(id)));
      return jobs.filter((job) => job!.state !== "completed").map((job) =>
        `${job!.id} ${job!.state}`
      );
    });
  const tookMs = performance.now() - jumpedAtMs;

  const starts = sides.flatMap(({ starts }) => starts);
  const early = starts.filter(({ id, atMs }) => {
    const { delayMs } = WISHES.find((wish) => wish.id === id)!;
    return delayMs !== null && atMs < addedAtMs + delayMs;
  });
  const more = WISHES.filter(({ id, attempts }) =>
    starts.filter((start) => start.id === id).length > attempts
  );
  return [
    none(`${name}: jobs that ran early`, early.map(({ id }) => id)),
    none(`${name}: jobs that ran once too often`, more.map(({ id }) => id)),
    none(`${name}: due jobs that were stuck`, stuck),
    worst(`${name}: all ${due.length} due jobs done after`, [tookMs], LIMIT_MS),
  ];
}

/** A queue with an engine on it. */
class Side implements AsyncDisposable {
  readonly starts: { readonly id: string; readonly atMs: number }[] = [];
  readonly running = new Set<string>();

  private constructor(readonly queue: Queue, readonly stop: () => Promise<void>) {}

  static async start(store: JobStore, now: Clock, workers: number): Promise<Side> {
    const settings = testSettings({
      workers,
      "lease": LEASE_MS,
      "heartbeat": LEASE_MS / 3,
      "reap-interval": REAP_MS,
      "backoff-base": BACKOFF_BASE,
    });
    const queue = new Queue({
      ...{ store, clock: now, newId, kinds: PAYLOAD_PARSERS, cwd: "/" },
      ...{ maxRetries: 3, timeoutMs: null, workerTimeoutMs: 60_000 },
    });
    const side = new Side(queue, () => engine.stop());
    queue.events.subscribe((event) => {
      if (event.type === "job.started") {
        side.starts.push({ id: event.jobId, atMs: now() });
        side.running.add(event.jobId);
      }
      if (event.type === "job.ended") side.running.delete(event.jobId);
    });
    const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });
    return side;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
