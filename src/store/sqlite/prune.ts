/**
 * Pruning: finished jobs are walked from the oldest on, in small steps. No index by age: jobs end
 * roughly in the order in which they were added, and an index would cost every plain job something.
 */
import { FINISHED_STATES, isFinished, STATES } from "../../job/state.ts";
import { FINISHED, quoteStates } from "../guard.ts";
import type { PruneProgress, PruneStep, StoreSize } from "../prune.ts";
import type { Connection } from "./connection.ts";
import type { Remove } from "./removal.ts";
import { TRAITS } from "../shared/traits.ts";
import type { Transaction } from "./transaction_counts.ts";

interface Candidate {
  readonly seq: number;
  readonly queue: string;
  readonly traits: number;
  readonly created_at: number;
  readonly finished_at: number;
}

export function preparePrune(connection: Connection, { remove }: { remove: Remove }) {
  // Range scans of jobs_finished, oldest first.
  const select = Object.fromEntries(FINISHED_STATES.map((state) => [
    state,
    connection.prepare(
      "SELECT seq, queue, traits, created_at, finished_at FROM jobs INDEXED BY jobs_finished " +
        `WHERE state = '${state}' AND ${FINISHED} AND seq > ? ORDER BY seq LIMIT ?`,
    ),
  ]));
  const unfinished = quoteStates(STATES.filter((state) => !isFinished(state)));
  // Served by the index dependents.
  const isReferredTo = connection.prepare(
    "SELECT 1 FROM dependencies JOIN jobs ON jobs.seq = dependencies.seq " +
      `WHERE dependencies.on_seq = ? AND jobs.state IN (${unfinished}) LIMIT 1`,
  );
  const isUndelivered = connection.prepare(
    "SELECT 1 FROM deliveries WHERE seq = ? AND state = 'waiting' LIMIT 1",
  );
  const lastTurn = connection.prepare("SELECT value FROM meta WHERE key = 'pruned_at'");
  const takeTurn = connection.prepare(
    "INSERT INTO meta (key, value) VALUES ('pruned_at', ?) ON CONFLICT (key) DO UPDATE " +
      "SET value = excluded.value WHERE value <= ? OR value > excluded.value",
  );
  const pageSize = pragma("page_size");

  function isNeeded({ seq, traits }: Candidate): boolean {
    if (traits & TRAITS.AWAITED && isReferredTo.get(seq) !== undefined) return true;
    return (traits & TRAITS.CALLBACK) !== 0 && isUndelivered.get(seq) !== undefined;
  }

  function pragma(name: string): number {
    return Number(connection.prepare(`PRAGMA ${name}`).get()![name]);
  }

  const size = (): StoreSize => ({
    bytes: pragma("page_count") * pageSize,
    unusedBytes: pragma("freelist_count") * pageSize,
  });

  return {
    /** Without a transaction nothing is deleted. */
    step(
      { state, endedBeforeMs, most, afterSeq, limit, nowMs }: PruneStep,
      transaction: Transaction | null,
    ): PruneProgress {
      const startedMs = performance.now();
      const rows = select[state]!.all(afterSeq, limit) as unknown as Candidate[];
      const found: Candidate[] = [];
      let isOver = rows.length < limit;
      for (const row of rows) {
        // A job ends after it was added. What was added in the future, by a clock that was set back
        // since, says nothing about those that follow.
        const isTooYoung = row.created_at >= endedBeforeMs && row.created_at <= nowMs;
        if (isTooYoung || found.length >= most) {
          isOver = true;
          break;
        }
        if (row.finished_at >= endedBeforeMs || isNeeded(row)) continue;
        found.push(row);
      }
      if (transaction !== null) remove(found.map((job) => ({ ...job, state })), transaction);
      const nextSeq = isOver ? null : rows.at(-1)!.seq;
      return { jobs: found.length, nextSeq, workMs: performance.now() - startedMs };
    },

    isTurn(nowMs: number, everyMs: number): boolean {
      const last = lastTurn.get()?.["value"] as number | undefined;
      return last === undefined || last <= nowMs - everyMs || last > nowMs;
    },

    takeTurn: (nowMs: number, everyMs: number): boolean => takeTurn.run(nowMs, nowMs - everyMs) > 0,

    size,

    shrink(bytes: number): StoreSize {
      const pages = Math.max(1, Math.floor(bytes / pageSize));
      connection.prepare(`PRAGMA incremental_vacuum(${pages})`).all();
      return size();
    },

    settleSize: (): void => void connection.prepare("PRAGMA wal_checkpoint(PASSIVE)").get(),
  };
}
