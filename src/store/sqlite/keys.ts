/**
 * Fairness between keys: which keys of a queue have due jobs, and whose turn it is. Keys are found by
 * jumping through the index jobs_keyed from one to the next, so that a million jobs of one key cost no
 * more than one job of it. Knows no limit.
 */
import type { DueKey, KeyedLevel, Steps } from "../shared/due_keys.ts";
import { LEASED, RUNNABLE } from "../guard.ts";
import type { Connection } from "./connection.ts";
import { IN_LANE, rankOf } from "./lanes.ts";

/** Up to so many due jobs are asked for their keys, instead of looking through all keys. */
const FEW = 64;

/** Keys read at once: a few first, since often a few are enough. */
const FIRST_PAGE = 16;
const LARGEST_PAGE = 256;

/** Turns are remembered for so many queues and priorities, the latest. */
const MOST_TURNS = 1_000;

/** Sorts after every kind. */
const AFTER_KINDS = "~";

const FROM_KEYED = `FROM jobs INDEXED BY jobs_keyed WHERE ${RUNNABLE} AND flow_key IS NOT NULL ` +
  "AND queue = ? AND priority = ?";

/** The `FROM` and `WHERE` of a key's jobs of a kind: queue, priority, key, kind. */
export const OF_KEY = `${FROM_KEYED} AND flow_key = ? AND kind = ?`;

export function prepareKeys(connection: Connection) {
  // Scans jobs_leased, which holds only what runs now. An index of its own would cost every job.
  const running = connection.prepare(
    `SELECT flow_key FROM jobs INDEXED BY jobs_leased WHERE ${LEASED} AND queue = ? ` +
      "AND flow_key IS NOT NULL",
  );
  const areMany = connection.prepare(`SELECT 1 ${IN_LANE} AND run_at <= ? LIMIT 1 OFFSET ${FEW}`);
  // Range scan of jobs_runnable: few rows.
  const fewKeys = connection.prepare(`SELECT flow_key ${IN_LANE} AND run_at <= ?`);
  // From (key, kind) to the next one, each by two searches of jobs_keyed. Not by one with a comparison
  // of both at once: SQLite would start at the pair itself and walk through all of its jobs.
  const nextPair = (key: string, kind: string) =>
    `coalesce((SELECT seq ${FROM_KEYED} AND flow_key = ${key} AND kind > ${kind} ` +
    `ORDER BY kind LIMIT 1), (SELECT seq ${FROM_KEYED} AND flow_key > ${key} ` +
    "ORDER BY flow_key, kind LIMIT 1))";
  const pairs = connection.prepare(
    "WITH RECURSIVE pairs (flow_key, kind) AS (SELECT first.flow_key, first.kind FROM jobs AS first " +
      `WHERE first.seq = ${nextPair("?", "?")} UNION ALL SELECT next.flow_key, next.kind ` +
      `FROM pairs, jobs AS next WHERE next.seq = ${nextPair("pairs.flow_key", "pairs.kind")} ` +
      `LIMIT ?) SELECT flow_key, kind, EXISTS (SELECT 1 ${FROM_KEYED} ` +
      "AND flow_key = pairs.flow_key AND kind = pairs.kind AND run_at <= ?) AS is_due FROM pairs",
  );
  /** Whose turn it was last, by queue and priority. The empty string: jobs without a key. */
  const turns = new Map<string, string>();
  const turnOf = (queue: string, priority: number) => `${priority} ${queue}`;

  /** The keys of at most {@link FEW} due jobs; null when more are due. */
  function keysOfFew({ queue, priority, kinds, nowMs }: KeyedLevel): Map<string, string[]> | null {
    const rank = rankOf({ priority, isKeyed: true });
    for (const kind of kinds) {
      if (areMany.get(queue, rank, kind, nowMs) !== undefined) return null;
    }
    const found = new Map<string, string[]>();
    for (const kind of kinds) {
      for (const row of fewKeys.all(queue, rank, kind, nowMs)) {
        const key = row["flow_key"] as string;
        const ofKey = found.get(key);
        if (ofKey === undefined) found.set(key, [kind]);
        else if (!ofKey.includes(kind)) ofKey.push(kind);
      }
    }
    return found;
  }

  /** Keys after this one with their due kinds, also those without; until the steps are used up. */
  function* keysAfter(
    after: string,
    { queue, priority, kinds, nowMs }: KeyedLevel,
    steps: Steps,
  ): Generator<DueKey & { readonly key: string }> {
    let current: { readonly key: string; readonly kinds: string[] } | undefined;
    let [lastKey, lastKind] = [after, AFTER_KINDS];
    for (let size = FIRST_PAGE;; size = Math.min(size * 4, LARGEST_PAGE)) {
      const limit = Math.min(size, steps.left);
      if (limit <= 0) return; // a key whose kinds are not all known waits for the next claim
      const level = [queue, priority];
      const start = [...level, lastKey, lastKind, ...level, lastKey];
      const rows = pairs.all(...start, ...level, ...level, limit, ...level, nowMs);
      steps.left -= rows.length;
      for (const row of rows) {
        [lastKey, lastKind] = [row["flow_key"] as string, row["kind"] as string];
        if (current === undefined || current.key !== lastKey) {
          if (current !== undefined) yield current;
          current = { key: lastKey, kinds: [] };
        }
        if (row["is_due"] === 1 && kinds.includes(lastKind)) current.kinds.push(lastKind);
      }
      if (rows.length < limit) break;
    }
    if (current !== undefined) yield current;
  }

  /** Those whose turn it is first; jobs without a key are one among them. */
  function* inTurn(level: KeyedLevel, plainKinds: readonly string[], steps: Steps) {
    const { queue, priority } = level;
    const last = turns.get(turnOf(queue, priority)) ?? null;
    const plain: DueKey = { key: null, kinds: plainKinds };
    const few = keysOfFew(level);
    if (few !== null) {
      const keys = [...few.keys()].sort();
      const next = last === null ? 0 : keys.findIndex((key) => key > last);
      const split = next === -1 ? keys.length : next;
      for (const key of keys.slice(split)) yield { key, kinds: few.get(key)! };
      yield plain;
      for (const key of keys.slice(0, split)) yield { key, kinds: few.get(key)! };
      return;
    }
    const seen = new Set<string>();
    let latest: string | null = null;
    for (const after of last === null || last === "" ? [""] : [last, ""]) {
      for (const found of keysAfter(after, level, steps)) {
        if (seen.has(found.key)) return;
        seen.add(latest = found.key);
        yield found;
      }
      // There are too many keys for one claim: the next one goes on from here.
      if (steps.left <= 0 && latest !== null) hadTurn(queue, priority, latest);
      if (after === (last ?? "")) yield plain;
    }
  }

  function hadTurn(queue: string, priority: number, key: string | null): void {
    const place = turnOf(queue, priority);
    turns.delete(place);
    turns.set(place, key ?? "");
    if (turns.size > MOST_TURNS) turns.delete(turns.keys().next().value!);
  }

  return {
    inTurn,

    /** Remembers that this key had its turn. */
    hadTurn,

    /** How many jobs of each key are under a lease; keys with none are missing. */
    running(queue: string): Map<string, number> {
      const jobs = new Map<string, number>();
      for (const row of running.all(queue)) {
        const key = row["flow_key"] as string;
        jobs.set(key, (jobs.get(key) ?? 0) + 1);
      }
      return jobs;
    },
  };
}

export type Keys = ReturnType<typeof prepareKeys>;
