/**
 * The bookkeeping of one claim, alike in every store: what it looks for, what it has learnt on the way,
 * and what the rules of each queue leave. Reads no row; the stores do.
 */
import type { ClaimRequest } from "../store.ts";
import type { CountedRules } from "./rules.ts";

/** So many queues take turns; then come others, should workers still be free. */
export const QUEUES_AT_ONCE = 64;

/** Queues, and steps from key to key, that one claim takes; the next one goes on from there. */
export const MOST_QUEUES = 1_024;
const MOST_STEPS = 1_024;

/** When the next claim follows, after one that has looked so far in vain. */
export const GO_ON_AFTER_MS = 100;

/** Rows of one key that are read at once, after its first job. */
export const KEY_PAGE = 16;

/** What one claim looks for, and what it has learnt on the way. */
export class ClaimSearch {
  readonly nowMs: number;
  readonly steps = { left: MOST_STEPS };
  freeSlots: number;
  /** Due jobs must wait until a running one ends. */
  isHeldBack = false;
  nextDueAtMs: number | null = null;
  readonly #kinds: ReadonlySet<string> | null;

  constructor({ nowMs, slots, kinds }: ClaimRequest) {
    this.nowMs = nowMs;
    this.freeSlots = slots.length;
    this.#kinds = kinds === undefined ? null : new Set(kinds);
  }

  /** Those whose kind this process runs. */
  wanted<T>(all: readonly T[], kindOf: (one: T) => string): readonly T[] {
    const kinds = this.#kinds;
    return kinds === null ? all : all.filter((one) => kinds.has(kindOf(one)));
  }

  /** At this time it may be worth to look again. */
  expect(atMs: number | null): void {
    if (atMs !== null) this.nextDueAtMs = Math.min(this.nextDueAtMs ?? atMs, atMs);
  }
}

export interface Allowance {
  readonly rules: CountedRules;
  /** How many more jobs may run at once. */
  readonly byRunning: number;
  /** How many more may start now. */
  readonly byRate: number;
  /** How many jobs of each key run; null: that does not matter. */
  readonly running: Map<string, number> | null;
}

/** What the rules of a queue leave to a claim, and what it has taken of that. */
export class QueueShare {
  readonly queue: string;
  readonly rules: CountedRules | null;
  readonly byRunning: number;
  readonly byRate: number;
  taken = 0;
  /** Whose job was found last, where keys take turns. */
  turn: { readonly priority: number; readonly key: string | null } | null = null;
  readonly #most: number;
  readonly #running: Map<string, number> | null;

  constructor(queue: string, allowance?: Allowance) {
    this.queue = queue;
    this.rules = allowance?.rules ?? null;
    this.byRunning = allowance?.byRunning ?? Infinity;
    this.byRate = allowance?.byRate ?? Infinity;
    this.#most = Math.min(this.byRunning, this.byRate);
    this.#running = allowance?.running ?? null;
  }

  /** Whether no other job may start now. */
  get isUsedUp(): boolean {
    return this.taken >= this.#most;
  }

  /** Whether one more job of the key may run. */
  hasRoomFor(key: string | null): boolean {
    if (this.#running === null || key === null) return true;
    return (this.#running.get(key) ?? 0) < this.rules!.keyMaxRunning!;
  }

  /** The job that was found last is leased. */
  took(): void {
    this.taken++;
    const key = this.turn?.key;
    if (this.#running === null || key == null) return;
    this.#running.set(key, (this.#running.get(key) ?? 0) + 1);
  }
}
