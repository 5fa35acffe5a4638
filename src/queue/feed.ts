/**
 * The live feed of a process: one reader of the store's journal, shared by all who follow. Owns
 * positions, replay and filters; knows neither requests nor terminals.
 *
 * Invariant: a follower is given every event after its position that it asked for, in order, or a
 * `gap` where some are lost; a slow one loses its own events, and delays nobody.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import type { JobState } from "../job/state.ts";
import type { Clock } from "../lib/clock.ts";
import type { JobStore, JournalBatch, JournalEvent } from "../store/store.ts";

/** An event with its place in the journal. */
export interface FeedEvent {
  readonly at: Position;
  readonly atMs: number;
  readonly event: JournalEvent;
}

/** Between events: those up to and with this one are known. */
export interface Position {
  readonly batch: number;
  readonly index: number;
}

/** What a follower wants to know; everything unless said. `gap` always. */
export interface FeedFilter {
  readonly jobId?: string;
  readonly queue?: string;
  readonly kind?: string;
  readonly states?: readonly JobState[];
}

export interface FollowOptions {
  /** Where to go on; null: with what happens from now on. */
  readonly after: Position | null;
  readonly filter: FeedFilter;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** How long the store is told that somebody follows; said again at a third of it. */
const FOLLOWED_MS = 30_000;

/** What several commits bring within this time is read together. */
const GATHER_MS = 25;

/** Where no word comes of changes, the journal is read all the same. */
const SLOW_POLL_MS = 1_000;

/** Batches read at once. */
const PAGE = 500;

/** A follower that has so many events before it loses them. */
const MOST_WAITING = 20_000;

export class EventFeed {
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #followers = new Set<Follower>();
  #lastId = 0;
  #starting: Promise<void> | null = null;
  #closers: Disposable[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #mayHaveMore = false;

  constructor(store: JobStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** How many follow now. */
  get size(): number {
    return this.#followers.size;
  }

  /**
   * Everything that happens, as it happens. The first value, without an event, is the position from
   * which on it does.
   */
  async *follow({ after, filter, signal }: FollowOptions): AsyncGenerator<FeedEvent | Position> {
    if (signal.aborted) return;
    const follower = new Follower(filter);
    const onAbort = () => follower.end();
    signal.addEventListener("abort", onAbort);
    this.#followers.add(follower);
    try {
      await (this.#starting ??= this.#start());
      const joined = this.#lastId;
      yield after ?? { batch: joined, index: Number.MAX_SAFE_INTEGER };
      if (after !== null) yield* this.#replay(after, { joined, filter });
      yield* follower.events();
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#followers.delete(follower);
      if (this.#followers.size === 0) this.#stop();
    }
  }

  /** Ends it for everybody. */
  close(): void {
    for (const follower of this.#followers) follower.end();
  }

  async *#replay(
    after: Position,
    { joined, filter }: { joined: number; filter: FeedFilter },
  ): AsyncGenerator<FeedEvent> {
    let afterId = after.batch - 1;
    let isFirst = true;
    while (afterId < joined) {
      const { batches, oldestId } = await this.#store.journal({ afterId, limit: PAGE });
      if (isFirst && isLost(after, { oldestId, joined })) {
        yield gapAt({ batch: Math.max(0, (oldestId ?? joined + 1) - 1), index: 0 }, this.#clock());
      }
      isFirst = false;
      for (const batch of batches) {
        if (batch.id > joined) return;
        yield* eventsOf(batch, filter, after);
      }
      if (batches.length < PAGE) return;
      afterId = batches.at(-1)!.id;
    }
    if (isFirst && after.batch > joined) {
      yield gapAt({ batch: joined, index: Number.MAX_SAFE_INTEGER }, this.#clock());
    }
  }

  async #start(): Promise<void> {
    this.#lastId = await this.#store.follow(this.#clock() + FOLLOWED_MS);
    const renewal = setInterval(() => {
      this.#goOnFollowing().catch(ignoreUnavailable);
    }, FOLLOWED_MS / 3);
    const poll = setInterval(() => this.#readSoon(), SLOW_POLL_MS);
    this.#closers = [
      this.#store.watch(() => this.#readSoon()),
      this.#store.watchOwn(() => this.#readSoon()),
      { [Symbol.dispose]: () => clearInterval(renewal) },
      { [Symbol.dispose]: () => clearInterval(poll) },
    ];
  }

  /** Also notices a journal that has gone back: a standby that had not got all of it has taken over. */
  async #goOnFollowing(): Promise<void> {
    const readId = this.#lastId;
    const lastId = await this.#store.follow(this.#clock() + FOLLOWED_MS);
    if (lastId >= readId) return;
    this.#lastId = lastId;
    const gap = gapAt({ batch: lastId, index: Number.MAX_SAFE_INTEGER }, this.#clock());
    for (const follower of this.#followers) follower.put(gap);
    this.#readSoon();
  }

  #stop(): void {
    for (const closer of this.#closers) closer[Symbol.dispose]();
    this.#closers = [];
    this.#starting = null;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #readSoon(): void {
    this.#mayHaveMore = true;
    if (this.#isReading) return;
    this.#timer ??= setTimeout(() => this.#read(), GATHER_MS);
  }

  async #read(): Promise<void> {
    this.#timer = undefined;
    this.#isReading = true;
    try {
      while (this.#mayHaveMore && this.#followers.size > 0) {
        this.#mayHaveMore = false;
        const page = await this.#store.journal({ afterId: this.#lastId, limit: PAGE });
        for (const batch of page.batches) {
          // Rows before it that are gone already: this process was held up for long.
          const isGap = batch.id !== this.#lastId + 1;
          this.#lastId = batch.id;
          for (const follower of this.#followers) {
            if (isGap) follower.put(gapAt({ batch: batch.id - 1, index: 0 }, batch.atMs));
            follower.take(batch);
          }
        }
        if (page.batches.length === PAGE) this.#mayHaveMore = true;
      }
    } catch (error) {
      ignoreUnavailable(error); // the slow poll tries again
    } finally {
      this.#isReading = false;
    }
  }
}

/** What one follower has not been given yet. */
class Follower {
  readonly #filter: FeedFilter;
  #waiting: FeedEvent[] = [];
  #hasEnded = false;
  #wake = () => {};

  constructor(filter: FeedFilter) {
    this.#filter = filter;
  }

  take(batch: JournalBatch): void {
    for (const event of eventsOf(batch, this.#filter, null)) this.put(event);
  }

  put(event: FeedEvent): void {
    if (this.#waiting.length >= MOST_WAITING) this.#waiting = [gapAt(event.at, event.atMs)];
    else this.#waiting.push(event);
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  async *events(): AsyncGenerator<FeedEvent> {
    while (!this.#hasEnded) {
      const events = this.#waiting;
      this.#waiting = [];
      yield* events;
      if (this.#waiting.length > 0 || this.#hasEnded) continue;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

function* eventsOf(
  { id, atMs, events }: JournalBatch,
  filter: FeedFilter,
  after: Position | null,
): Generator<FeedEvent> {
  for (const [index, event] of events.entries()) {
    if (after !== null && id === after.batch && index <= after.index) continue;
    if (after !== null && id < after.batch) continue;
    if (isWanted(event, filter)) yield { at: { batch: id, index }, atMs, event };
  }
}

function isWanted(event: JournalEvent, { jobId, queue, kind, states }: FeedFilter): boolean {
  if (event.type === "gap") return true;
  if (!("jobId" in event)) {
    return jobId === undefined && kind === undefined && states === undefined &&
      (queue === undefined || (event.type === "queue.changed" && event.name === queue));
  }
  return (jobId === undefined || event.jobId === jobId) &&
    (queue === undefined || event.queue === queue) &&
    (kind === undefined || event.kind === kind) &&
    (states === undefined || states.includes(event.state));
}

/** Whether rows that follow the position are gone. */
function isLost(
  after: Position,
  { oldestId, joined }: { oldestId: number | null; joined: number },
): boolean {
  return oldestId === null ? joined > after.batch : oldestId > after.batch + 1;
}

function gapAt(at: Position, atMs: number): FeedEvent {
  return { at, atMs, event: { type: "gap" } };
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}
