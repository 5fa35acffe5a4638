/**
 * Keeps `max-queue-depth` when several processes add at the same moment, and none sees yet what the others
 * add. Knows how many jobs wait from the kept counts, and no job.
 *
 * While the queue is at most half full, everybody adds beside the others, but little at a time, and no
 * more than {@link SLOTS} transactions at once: together they cannot fill the other half. Above that they
 * add one after the other. Whoever has no limit waits for nobody.
 *
 * Invariant: transactions that add under the same limit never bring the waiting jobs above it.
 */
import { TryAgain } from "./errors.ts";
import { LOCKS, type Place } from "./migrate.ts";
import type { Transaction } from "./transaction.ts";

/** So many transactions add beside each other. */
const SLOTS = 8;

/** What a transaction has locked, to its end. */
interface Hold {
  readonly isAlone: boolean;
  /** Jobs that it adds, so far. */
  added: number;
}

export class Depth {
  readonly #lockSpace: number;
  readonly #slot = Math.floor(Math.random() * SLOTS);
  readonly #holds = new WeakMap<Transaction, Hold>();
  /** How this process begins, from what it has seen last. */
  #isAlone = false;

  constructor({ lockSpace }: Place) {
    this.#lockSpace = lockSpace;
  }

  /**
   * Makes room for `more` jobs where at most `most` may wait. Null: there is, and they are to be added
   * now; otherwise how many wait.
   *
   * @throws {TryAgain} when the transaction has to have the queue for itself, and begins anew for that.
   */
  async makeRoom(more: number, most: number, transaction: Transaction): Promise<number | null> {
    const hold = this.#holds.get(transaction) ?? await this.#lock(transaction);
    // Read under the lock: what others have added before is in it.
    const waiting = await transaction.waiting();
    const isLittle = hold.added + more <= most / (2 * SLOTS);
    if (!hold.isAlone && !(isLittle && waiting + more <= most / 2)) {
      this.#isAlone = true;
      throw new TryAgain("others are filling the queue, too");
    }
    if (hold.isAlone) this.#isAlone = !isLittle || waiting + more > most / 4;
    if (waiting + more > most) return waiting;
    hold.added += more;
    return null;
  }

  async #lock(transaction: Transaction): Promise<Hold> {
    const isAlone = this.#isAlone;
    const [space, slot] = [this.#lockSpace, LOCKS.depthSlots + this.#slot];
    const alone = "SELECT pg_advisory_xact_lock($1::int, $2::int)";
    const beside = "SELECT pg_advisory_xact_lock_shared($1::int, $2::int), " +
      "pg_advisory_xact_lock($1::int, $3::int)";
    if (isAlone) await transaction.get(alone, space, LOCKS.depth);
    else await transaction.get(beside, space, LOCKS.depth, slot);
    const hold = { isAlone, added: 0 };
    this.#holds.set(transaction, hold);
    return hold;
  }
}
