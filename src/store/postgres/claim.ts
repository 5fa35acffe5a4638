/**
 * Claiming: leases the jobs that are due, in order, for the workers that are free, within what was
 * said of their queues. Jobs that another process is just leasing are passed over; a queue with limits
 * is claimed from by one process at a time.
 *
 * Invariant: a claim that finds nothing it may lease says `isMoreDue: false`; whoever asks again
 * without being woken would ask in vain.
 */
import type { Payload } from "../../job/job.ts";
import { startsLeft } from "../../job/rate.ts";
import type { JobState } from "../../job/state.ts";
import { RUNNABLE, targetState } from "../guard.ts";
import type { DueKey } from "../shared/due_keys.ts";
import type { CountedRules } from "../shared/rules.ts";
import {
  type Allowance,
  ClaimSearch,
  GO_ON_AFTER_MS,
  KEY_PAGE,
  MOST_QUEUES,
  QUEUES_AT_ONCE,
  QueueShare,
} from "../shared/claim_search.ts";
import { Packing } from "../shared/packing.ts";
import { leasedFromRow, packedFromRow } from "../shared/rows.ts";
import type { CountedState } from "../shared/counted.ts";
import type { Claim, ClaimRequest } from "../store.ts";
import type { Row } from "./connection.ts";
import { JobStream, merge, type Rows } from "./job_stream.ts";
import { Keys, OF_KEY, runningKeys } from "./keys.ts";
import { type Lane, type Level, type QueueLanes, queueLanes } from "./lanes.ts";
import { allRules, countStarts, lockRules } from "./limits.ts";
import type { Transaction } from "./transaction.ts";

/** How far apart the clocks of processes may be. */
const MOST_SKEW_MS = 10_000;

/** The largest page: two chunks of trivial jobs, and the one that says that there are more. */
const PAGE = 513;

const EMPTY: Claim = { slots: [], isMoreDue: false, isHeldBack: false, nextDueAtMs: null };

const COLUMNS = "seq, id, queue, kind, state, run_at, attempts, max_retries, timeout_ms, " +
  "lease_token, options, traits, payload, payload_bytes, ctid::text AS place";

// Range scan of jobs_runnable: one lane, in order.
const SELECT_DUE = `SELECT ${COLUMNS} FROM jobs WHERE ${RUNNABLE} AND queue = $1 AND rank = $2 ` +
  "AND kind = $3 AND run_at <= $4 AND (run_at, seq) > ($5, $6) ORDER BY run_at, seq LIMIT $7 " +
  "FOR UPDATE SKIP LOCKED";

// Range scan of jobs_keyed: one key and kind, in order.
const SELECT_OF_KEY = `SELECT ${COLUMNS} ${OF_KEY} AND run_at <= $5 AND (run_at, seq) > ($6, $7) ` +
  "ORDER BY run_at, seq LIMIT $8 FOR UPDATE SKIP LOCKED";

// The rows are locked, so they stay where they were read, and are found there without an index.
const LEASE = `UPDATE jobs SET state = ${targetState("claim")}, lease_holder = $3, ` +
  "lease_worker = $2, lease_token = lease_token + 1, lease_expires_at = $4, " +
  "started_at = $5, updated_at = $5 WHERE ctid = ANY($1::tid[])";

/**
 * While a long backlog is worked off, a claim goes on where the last one has stopped, for so long: what
 * was claimed stays in the index until the server tidies up, and to look from the beginning passes it all.
 */
const GOING_ON_MS = 100;

/** A backlog is long when one claim takes so many jobs of it. */
const LONG_BACKLOG = 128;

/** Whether the claim is one of a long backlog. */
export function isLong({ slots }: Claim): boolean {
  return slots.reduce((sum, { jobs }) => sum + jobs.length, 0) >= LONG_BACKLOG;
}

/** What there was to claim from, and where the last claim has stopped. */
interface Stop {
  readonly lanes: readonly QueueLanes[];
  /** Queues of which something was said: under their rows of `queue_limits` only. */
  readonly ruled: ReadonlySet<string>;
  /** When it was looked from the beginning. */
  readonly lookedAtMs: number;
}

/** What a process remembers from one claim to the next. */
export class Claims {
  readonly #keys = new Keys();
  #lastQueue = "";
  #isLastChunked = false;
  #stop: Stop | null = null;

  async claim(request: ClaimRequest, transaction: Transaction): Promise<Claim> {
    if (request.slots.length === 0) return EMPTY;
    const search = new Search(request);
    const packing = new Packing(request);
    const context: Context = {
      search,
      packing,
      places: new Map(),
      streams: new Map(),
      transaction,
    };
    const asked = allRules(transaction); // together with the first lanes, or jobs
    asked.catch(() => {}); // which are told of the same error
    const stop = this.#recentStop(search.nowMs);
    const lanes = stop === null ? null : inTurn(stop.lanes, this.#lastQueue);
    // Whoever locked jobs before the rules of their queue could wait for who does it in order.
    if (lanes !== null && !stop!.ruled.has(lanes[0]?.queue ?? "")) {
      this.#readAhead(lanes[0], context);
    }
    const queues = lanes === null
      ? queueLanes(this.#lastQueue, search.nowMs, transaction)
      : each(lanes);
    let isMoreDue = false;
    let looked = 0;
    let areQueuesLeft = true;
    let page: QueueLanes[] = [];
    while (areQueuesLeft && !isMoreDue && looked < MOST_QUEUES) {
      page = [];
      while (page.length < QUEUES_AT_ONCE) {
        const { value, done } = await queues.next();
        if (done) {
          areQueuesLeft = false;
          break;
        }
        page.push(value);
      }
      looked += page.length;
      const rulesOf = await asked;
      const limited = page.map(({ queue }) => queue).filter((queue) => rulesOf.has(queue));
      const rules = limited.length === 0 ? rulesOf : await lockRules(limited, transaction);
      const sources: Source[] = [];
      for (const lanes of page) {
        const source = await openSource(lanes, rules.get(lanes.queue), context);
        if (source !== null) sources.push(source);
      }
      const lastLooked = page.at(-1)?.queue ?? this.#lastQueue;
      isMoreDue = await this.#takeFrom(sources, context);
      for (const source of sources) await closeSource(source, context);
      if (!isMoreDue && looked >= MOST_QUEUES) this.#lastQueue = lastLooked;
    }
    await queues.return(undefined);
    await lease(request, context);
    this.#isLastChunked = packing.isAnyChunked;
    // There was more to look through than one claim takes. Where it has found something, others will
    // follow at once; else later, because nobody knows whether there is anything to be found.
    const isCutShort = search.steps.left <= 0 || (areQueuesLeft && looked >= MOST_QUEUES);
    if (isCutShort && packing.slots.length > 0) isMoreDue = true;
    else if (isCutShort) search.expect(request.nowMs + GO_ON_AFTER_MS);
    if (isMoreDue && !areQueuesLeft && looked === page.length) {
      const ruled = new Set((await asked).keys());
      this.#stopAt(page, { ruled, lookedAtMs: stop?.lookedAtMs ?? search.nowMs }, context);
    } else if (stop !== null) isMoreDue = true; // the next one looks from the beginning
    const { isHeldBack, nextDueAtMs } = search;
    return { slots: packing.slots, isMoreDue, isHeldBack, nextDueAtMs };
  }

  /** Where the last claim has stopped, if that is to be gone on from; it is so once. */
  #recentStop(nowMs: number): Stop | null {
    const stop = this.#stop;
    this.#stop = null;
    const agoMs = stop === null ? Infinity : nowMs - stop.lookedAtMs;
    return agoMs >= 0 && agoMs < GOING_ON_MS ? stop : null;
  }

  #stopAt(
    page: readonly QueueLanes[],
    rest: Omit<Stop, "lanes">,
    { places, streams }: Context,
  ): void {
    if (places.size < LONG_BACKLOG) return;
    const passed = (lane: Lane): Lane => {
      const position = streams.get(lane)?.passed ?? null;
      if (position === null) return lane;
      return { ...lane, firstAtMs: position.runAt, firstSeq: position.seq };
    };
    const lanes = page.map(({ queue, levels }) => ({
      queue,
      levels: levels.map((level) => ({ ...level, plain: level.plain.map(passed) })),
    }));
    this.#stop = { lanes, ...rest };
  }

  /**
   * In turn: from each queue a slot's worth, until the slots or the jobs are used up. Whether jobs
   * are left.
   */
  async #takeFrom(all: readonly Source[], context: Context): Promise<boolean> {
    const { search, packing, places, transaction } = context;
    const sources = all.map((source) => ({ source, levels: this.#dueJobs(source, context) }));
    while (sources.length > 0) {
      for (let index = 0; index < sources.length; index++) {
        const { source, levels } = sources[index]!;
        const { queue } = source;
        const slotsBefore = packing.slotsBegun;
        while (true) {
          const row = await source.next(levels);
          if (row === undefined) {
            sources.splice(index--, 1);
            break;
          }
          if (!packing.hasRoomFor(packedFromRow(row))) return true;
          packing.put(leasedFromRow(row, payloadOf(row)));
          places.set(row["seq"] as number, row["place"] as string);
          transaction.count(queue, (row["state"] as JobState) as CountedState, -1);
          transaction.count(queue, "leased", 1);
          this.#lastQueue = queue;
          search.freeSlots = packing.isFull ? 0 : packing.slotsFree;
          source.took();
          const { turn } = source;
          if (turn !== null) this.#keys.hadTurn(queue, turn.priority, turn.key);
          if (sources.length > 1 && packing.slotsBegun > slotsBefore && packing.isSlotFull) break;
        }
      }
    }
    return false;
  }

  /** A queue's due jobs, priority by priority, in the order of the contract. */
  async *#dueJobs(source: Source, context: Context): AsyncGenerator<Rows> {
    const { search } = context;
    for (const level of source.lanes.levels) {
      const plain = search.wanted(level.plain, kindOf);
      const keyed = search.wanted(level.keyed, kindOf);
      if (keyed.length === 0) {
        yield this.#plainJobs(plain, context);
      } else {
        const rows = this.#fairJobs(source, { ...level, plain, keyed }, context);
        yield { next: async () => (await rows.next()).value ?? undefined };
      }
      for (const { nextAtMs } of [...plain, ...keyed]) search.expect(nextAtMs);
    }
  }

  /** Jobs without a key, of one priority. */
  #plainJobs(lanes: readonly Lane[], context: Context): Rows {
    const due = lanes.filter((lane) => context.search.isDue(lane));
    return merge(due.map((lane) => this.#streamOf(lane, context)));
  }

  #streamOf(lane: Lane, { search, streams, transaction }: Context): JobStream {
    const begun = streams.get(lane);
    if (begun !== undefined) return begun;
    const { queue, rank, kind, firstAtMs, firstSeq } = lane;
    const stream = new JobStream(
      (runAt, seq, limit) =>
        transaction.all(SELECT_DUE, queue, rank, kind, search.nowMs, runAt, seq, limit),
      // No more than there is room for, and one: what is read is locked, and others pass it over.
      () => Math.min(PAGE, search.room(kind, this.#isLastChunked) + 1),
      { runAt: firstAtMs!, seq: firstSeq },
    );
    streams.set(lane, stream);
    return stream;
  }

  /** Begins to read what will be taken first, unless the rules, which are on their way, forbid it. */
  #readAhead(lanes: QueueLanes | undefined, context: Context): void {
    const level = lanes?.levels[0];
    if (level === undefined || level.keyed.length > 0) return;
    for (const lane of context.search.wanted(level.plain, kindOf)) {
      // Whoever reads it is told of the error.
      if (context.search.isDue(lane)) this.#streamOf(lane, context).peek().catch(() => {});
    }
  }

  /** Jobs of one priority in a queue where some have a key: from each key one, in turn. */
  async *#fairJobs(source: Source, level: Level, context: Context): AsyncGenerator<Row> {
    const { search, transaction } = context;
    const { queue } = source;
    const { priority } = level;
    const { nowMs, steps } = search;
    const held = (key: string | null) => {
      if (source.hasRoomFor(key)) return false;
      search.isHeldBack = true;
      return true;
    };
    const plain = level.plain.filter((lane) => search.isDue(lane));
    const rowsOf = ({ key, kinds }: DueKey): Rows =>
      key === null ? this.#plainJobs(plain, context) : merge(kinds.map((kind) => {
        let pages = 0;
        return new JobStream(
          (runAt, seq, limit) =>
            transaction.all(
              SELECT_OF_KEY,
              ...[queue, priority, key, kind],
              ...[nowMs, runAt, seq, limit],
            ),
          () => pages++ === 0 ? 1 : KEY_PAGE,
        );
      }));
    // The first round finds the keys; the others go through those that had a job in it.
    const found: { key: string | null; rows: Rows }[] = [];
    const kinds = level.keyed.map(({ kind }) => kind);
    const keys = this.#keys.inTurn(
      { queue, priority, kinds, nowMs },
      plain.map(({ kind }) => kind),
      { steps, sql: transaction },
    );
    for await (const due of keys) {
      if (due.kinds.length === 0 || held(due.key)) continue;
      const rows = rowsOf(due);
      const row = await rows.next();
      if (row === undefined) continue;
      source.turn = { priority, key: due.key };
      yield row;
      found.push({ key: due.key, rows });
    }
    for (let left = found; left.length > 0;) {
      const more: typeof found = [];
      for (const { key, rows } of left) {
        if (held(key)) continue;
        const row = await rows.next();
        if (row === undefined) continue;
        source.turn = { priority, key };
        yield row;
        more.push({ key, rows });
      }
      left = more;
    }
  }
}

/** What the parts of a claim share. */
interface Context {
  readonly search: Search;
  readonly packing: Packing;
  /** Where the rows of the jobs stand that are taken. */
  readonly places: Map<number, string>;
  /** The jobs without a key of each lane that was looked into. */
  readonly streams: Map<Lane, JobStream>;
  readonly transaction: Transaction;
}

/** Those after the given name first. */
function inTurn(lanes: readonly QueueLanes[], after: string): QueueLanes[] {
  return [
    ...lanes.filter(({ queue }) => queue > after),
    ...lanes.filter(({ queue }) => queue <= after),
  ];
}

async function* each<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

/** Where a queue's jobs come from; null: none of them may start now. */
async function openSource(
  lanes: QueueLanes,
  rules: CountedRules | undefined,
  { search, transaction }: Context,
): Promise<Source | null> {
  if (rules === undefined) return new Source(lanes);
  if (rules.pausedAtMs !== null) return null;
  let [byRunning, byRate] = [Infinity, Infinity];
  if (rules.maxRunning !== null) {
    byRunning = rules.maxRunning - await transaction.leased(lanes.queue);
    if (byRunning <= 0) {
      search.isHeldBack = true;
      return null;
    }
  }
  if (rules.rate !== null) {
    const { left, nextAtMs } = startsLeft(rules.rate, rules.starts, rateTime(rules, search.nowMs));
    search.expect(nextAtMs);
    if (left === 0) return null;
    byRate = left;
  }
  const running = rules.keyMaxRunning === null ? null : await runningKeys(lanes.queue, transaction);
  return new Source(lanes, { rules, byRunning, byRate, running });
}

/** After the claim: what counts from now on, and when those that were held back may start. */
async function closeSource(
  { queue, rules, taken, byRunning, byRate }: Source,
  { search, transaction }: Context,
): Promise<void> {
  if (rules === null || taken === 0) return;
  if (taken >= byRunning) search.isHeldBack = true;
  if (rules.rate === null) return;
  const { rate } = rules;
  const nowMs = rateTime(rules, search.nowMs);
  const starts = await countStarts(queue, { ...rules, rate }, { nowMs, jobs: taken }, transaction);
  if (taken >= byRate) search.expect(startsLeft(rate, starts, nowMs).nextAtMs);
}

/**
 * The time by which a rate is kept. Another process may have started jobs "later" than now: its clock is
 * a little ahead, or this one has waited for the queue's row since it looked at its own. Starts that are
 * further away are from before a clock was set back, and do not count.
 */
function rateTime({ starts }: CountedRules, nowMs: number): number {
  const lastMs = starts.at(-1)?.[0] ?? nowMs;
  return lastMs - nowMs <= MOST_SKEW_MS ? Math.max(nowMs, lastMs) : nowMs;
}

async function lease(
  { holder, nowMs, leaseExpiresAtMs }: ClaimRequest,
  { packing, places, transaction }: Context,
): Promise<void> {
  for (const { worker, jobs } of packing.slots) {
    const placesOf = jobs.map(({ seq }) => places.get(seq)!);
    transaction.send(LEASE, placesOf, worker, holder, leaseExpiresAtMs, nowMs);
  }
  const seqs = packing.slots.flatMap(({ jobs }) => jobs.map(({ seq }) => seq));
  await transaction.journal.jobs("job.started", seqs, transaction);
}

class Search extends ClaimSearch {
  readonly #chunk: Readonly<Record<string, number>>;

  constructor(request: ClaimRequest) {
    super(request);
    this.#chunk = request.chunk;
  }

  isDue({ firstAtMs }: Lane): boolean {
    return firstAtMs !== null && firstAtMs <= this.nowMs;
  }

  /** How many jobs of the kind the free slots may take. */
  room(kind: string, isChunked: boolean): number {
    // Where jobs were large, a free worker takes one: reading a page of them would be waste.
    return this.freeSlots * (isChunked ? Math.max(1, this.#chunk[kind] ?? 1) : 1);
  }
}

/** A queue in a claim. */
class Source extends QueueShare {
  readonly lanes: QueueLanes;
  /** Of the priority that is looked at. */
  #rows: Rows | undefined;

  constructor(lanes: QueueLanes, allowance?: Allowance) {
    super(lanes.queue, allowance);
    this.lanes = lanes;
  }

  /** The next job, from the priorities that are left; undefined: no other may start now. */
  async next(levels: AsyncGenerator<Rows>): Promise<Row | undefined> {
    if (this.isUsedUp) return undefined;
    while (true) {
      const row = await this.#rows?.next();
      if (row !== undefined) return row;
      const { value, done } = await levels.next();
      if (done) return undefined;
      this.#rows = value;
    }
  }
}

function payloadOf(row: Row): Payload {
  return (row["payload"] ?? row["payload_bytes"]) as Payload;
}

function kindOf({ kind }: Lane): string {
  return kind;
}
