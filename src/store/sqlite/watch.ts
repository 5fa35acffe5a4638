/**
 * Notices that another process has written. Every commit appends to the `-wal` file, so the kernel
 * says at once when that happens (measured: 2.4 ms from insert to start, 0.3 % of a core when idle);
 * SQLite's `data_version` then tells others' commits from our own. A slow poll stands in where the
 * file system does not report changes.
 *
 * While this process itself commits all the time, the kernel would speak of nothing else (measured:
 * a fifth of what a submit costs): then `data_version` is read every few milliseconds instead.
 */
import type { Connection, Statement } from "./connection.ts";

const POLL_MS = 1_000;

/**
 * The kernel speaks of a write when it reaches the file, but others see the commit only after its
 * fsync: look again after so long.
 */
const AFTER_EVENT_MS = [2, 5, 15, 50, 150];

/** So many own commits, one soon after the other, and the kernel is not listened to. */
const BUSY_STREAK = 8;
const STREAK_GAP_MS = 20;
const BUSY_POLL_MS = 5;
/** Without an own commit for so long, it is listened to again. */
const CALM_MS = 50;

type Timer = ReturnType<typeof setTimeout>;

export class ChangeWatch {
  readonly #path: string;
  readonly #dataVersion: Statement;
  readonly #listeners = new Set<() => void>();
  #version = 0;
  #poll: Timer | undefined;
  #busyPoll: Timer | undefined;
  #watcher: Deno.FsWatcher | null = null;
  #again: Timer | undefined;
  #looks = 0;
  #streak = 0;
  #lastOwnMs = 0;

  constructor(connection: Connection, path: string) {
    this.#path = path;
    this.#dataVersion = connection.prepare("PRAGMA data_version");
  }

  /** Calls back soon after each change by others, until disposed. */
  subscribe(onChange: () => void): Disposable {
    if (this.#listeners.size === 0) this.#start();
    const listener = () => onChange();
    this.#listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.close();
      },
    };
  }

  /** Calls back now, whoever made the change. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** To be told of every commit of this process. */
  ownCommit(): void {
    if (this.#poll === undefined) return;
    const nowMs = performance.now();
    this.#streak = nowMs - this.#lastOwnMs < STREAK_GAP_MS ? this.#streak + 1 : 0;
    this.#lastOwnMs = nowMs;
    if (this.#streak >= BUSY_STREAK && this.#busyPoll === undefined) this.#turnAway();
  }

  close(): void {
    this.#listeners.clear();
    clearInterval(this.#poll);
    clearInterval(this.#busyPoll);
    clearTimeout(this.#again);
    this.#poll = this.#busyPoll = this.#again = undefined;
    this.#unwatch();
  }

  #start(): void {
    this.#version = this.#dataVersion.get()!["data_version"] as number;
    this.#poll = setInterval(this.#check, POLL_MS);
    this.#watch();
  }

  readonly #check = (): void => {
    if (this.#listeners.size === 0) return;
    let found: number;
    try {
      found = this.#dataVersion.get()!["data_version"] as number;
    } catch {
      return; // A timer must not end the process; reads and writes say what is wrong.
    }
    if (found === this.#version) return;
    this.#version = found;
    this.tell();
  };

  #watch(): void {
    try {
      // Beside the file itself, should the path be a link to it.
      this.#watcher = Deno.watchFs(`${Deno.realPathSync(this.#path)}-wal`);
    } catch {
      return; // Not supported here: the poll has to do.
    }
    this.#follow(this.#watcher);
  }

  async #follow(events: Deno.FsWatcher): Promise<void> {
    try {
      for await (const _ of events) {
        this.#check();
        this.#looks = 0;
        if (this.#again === undefined) this.#lookAgain();
      }
    } catch { /* the watch ended: the poll goes on */ }
  }

  #lookAgain(): void {
    this.#again = undefined;
    if (this.#watcher === null || this.#looks >= AFTER_EVENT_MS.length) return;
    this.#again = setTimeout(() => {
      this.#check();
      this.#lookAgain();
    }, AFTER_EVENT_MS[this.#looks++]);
  }

  #unwatch(): void {
    try {
      this.#watcher?.close();
    } catch { /* ended already */ }
    this.#watcher = null;
  }

  /** From the kernel's word to a quick poll, and back when it has become calm. */
  #turnAway(): void {
    this.#unwatch();
    this.#busyPoll = setInterval(() => {
      this.#check();
      if (this.#busyPoll === undefined || performance.now() - this.#lastOwnMs < CALM_MS) return;
      clearInterval(this.#busyPoll);
      this.#busyPoll = undefined;
      this.#watch();
      this.#check();
    }, BUSY_POLL_MS);
  }
}
