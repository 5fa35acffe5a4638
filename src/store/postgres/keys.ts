/**
 * Fairness between keys, as in SQLite: which keys of a queue have due jobs, and whose turn it is. Keys
 * are found by jumping through the index jobs_keyed from one to the next. Each process remembers the
 * turns that it has given. Knows no limit.
 */
import { LEASED, RUNNABLE } from "../guard.ts";
import type { DueKey, KeyedLevel, Steps } from "../shared/due_keys.ts";
import type { Sql } from "./connection.ts";

/** Up to so many due jobs are asked for their keys, instead of looking through all keys. */
const FEW = 64;

/** Keys read at once: a few first, since often a few are enough. */
const FIRST_PAGE = 16;
const LARGEST_PAGE = 256;

/** Turns are remembered for so many queues and priorities, the latest. */
const MOST_TURNS = 1_000;

const KEYED = `FROM jobs WHERE ${RUNNABLE} AND flow_key IS NOT NULL AND queue = $1 ` +
  "AND priority = $2";

/** The jobs of a key and kind: queue, priority, key, kind. */
export const OF_KEY = `${KEYED} AND flow_key = $3 AND kind = $4`;

const RUNNABLE_IN_LANE = `FROM jobs WHERE ${RUNNABLE} AND queue = $1 AND rank = -2 * $2::integer ` +
  "AND kind = wanted.kind AND run_at <= $4";

/** Lane by lane through jobs_runnable, so that jobs that are due later cost nothing. */
const FEW_DUE = "SELECT due.flow_key, due.kind FROM unnest($3::text[]) AS wanted (kind) " +
  `CROSS JOIN LATERAL (SELECT flow_key, kind ${RUNNABLE_IN_LANE} ORDER BY run_at ` +
  `LIMIT ${FEW + 1}) AS due`;

const AFTER_PAIR = (key: string, kind: string) =>
  `SELECT flow_key, kind ${KEYED} AND (flow_key, kind) > (${key}, ${kind}) ` +
  "ORDER BY flow_key, kind LIMIT 1";

const PAIRS =
  `WITH RECURSIVE pairs (flow_key, kind) AS ((${
    AFTER_PAIR('$3::text COLLATE "C"', '$4::text COLLATE "C"')
  }) UNION ALL SELECT following.* FROM pairs CROSS JOIN LATERAL (${
    AFTER_PAIR("pairs.flow_key", "pairs.kind")
  }) AS following) SELECT flow_key, kind, EXISTS (SELECT 1 ${KEYED} ` +
  "AND flow_key = pairs.flow_key AND kind = pairs.kind AND run_at <= $5) AS is_due FROM pairs " +
  "LIMIT $6";

/** Sorts after every kind. */
const AFTER_KINDS = "~";

export class Keys {
  /** Whose turn it was last, by queue and priority. The empty string: jobs without a key. */
  readonly #turns = new Map<string, string>();

  /** Those whose turn it is first; jobs without a key are one among them. */
  async *inTurn(
    level: KeyedLevel,
    plainKinds: readonly string[],
    { steps, sql }: { steps: Steps; sql: Sql },
  ): AsyncGenerator<DueKey> {
    const { queue, priority } = level;
    const last = this.#turns.get(turnOf(queue, priority)) ?? null;
    const plain: DueKey = { key: null, kinds: plainKinds };
    const few = await keysOfFew(level, sql);
    if (few !== null) {
      const keys = [...few.keys()].sort(byBytes);
      const next = last === null ? 0 : keys.findIndex((key) => byBytes(key, last) > 0);
      const split = next === -1 ? keys.length : next;
      for (const key of keys.slice(split)) yield { key, kinds: few.get(key)! };
      yield plain;
      for (const key of keys.slice(0, split)) yield { key, kinds: few.get(key)! };
      return;
    }
    const seen = new Set<string>();
    let latest: string | null = null;
    for (const after of last === null || last === "" ? [""] : [last, ""]) {
      for await (const found of keysAfter(after, level, { steps, sql })) {
        if (seen.has(found.key)) return;
        seen.add(latest = found.key);
        yield found;
      }
      // There are too many keys for one claim: the next one goes on from here.
      if (steps.left <= 0 && latest !== null) this.hadTurn(queue, priority, latest);
      if (after === (last ?? "")) yield plain;
    }
  }

  /** Remembers that this key had its turn. */
  hadTurn(queue: string, priority: number, key: string | null): void {
    const place = turnOf(queue, priority);
    this.#turns.delete(place);
    this.#turns.set(place, key ?? "");
    if (this.#turns.size > MOST_TURNS) this.#turns.delete(this.#turns.keys().next().value!);
  }
}

const turnOf = (queue: string, priority: number) => `${priority} ${queue}`;

/** How many jobs of each key are under a lease; keys with none are missing. */
export async function runningKeys(queue: string, sql: Sql): Promise<Map<string, number>> {
  // Scans jobs_leased, which holds only what runs now.
  const rows = await sql.all(
    `SELECT flow_key, count(*) AS jobs FROM jobs WHERE ${LEASED} AND queue = $1 ` +
      "AND flow_key IS NOT NULL GROUP BY flow_key",
    queue,
  );
  return new Map(rows.map((row) => [row["flow_key"] as string, row["jobs"] as number]));
}

/** The keys of at most {@link FEW} due jobs; null when more are due. */
async function keysOfFew(
  { queue, priority, kinds, nowMs }: KeyedLevel,
  sql: Sql,
): Promise<Map<string, string[]> | null> {
  const rows = await sql.all(FEW_DUE, queue, priority, kinds, nowMs);
  if (rows.length > FEW) return null;
  const found = new Map<string, string[]>();
  for (const row of rows) {
    const [key, kind] = [row["flow_key"] as string, row["kind"] as string];
    const ofKey = found.get(key);
    if (ofKey === undefined) found.set(key, [kind]);
    else if (!ofKey.includes(kind)) ofKey.push(kind);
  }
  return found;
}

/** Keys after this one with their due kinds, also those without; until the steps are used up. */
async function* keysAfter(
  after: string,
  { queue, priority, kinds, nowMs }: KeyedLevel,
  { steps, sql }: { steps: Steps; sql: Sql },
): AsyncGenerator<DueKey & { readonly key: string }> {
  let current: { readonly key: string; readonly kinds: string[] } | undefined;
  let [lastKey, lastKind] = [after, AFTER_KINDS];
  for (let size = FIRST_PAGE;; size = Math.min(size * 4, LARGEST_PAGE)) {
    const limit = Math.min(size, steps.left);
    if (limit <= 0) return; // a key whose kinds are not all known waits for the next claim
    const rows = await sql.all(PAIRS, queue, priority, lastKey, lastKind, nowMs, limit);
    steps.left -= rows.length;
    for (const row of rows) {
      [lastKey, lastKind] = [row["flow_key"] as string, row["kind"] as string];
      if (current === undefined || current.key !== lastKey) {
        if (current !== undefined) yield current;
        current = { key: lastKey, kinds: [] };
      }
      if (row["is_due"] === true && kinds.includes(lastKind)) current.kinds.push(lastKind);
    }
    if (rows.length < limit) break;
  }
  if (current !== undefined) yield current;
}

const encoder = new TextEncoder();

/** As the server orders them. */
function byBytes(one: string, other: string): number {
  const [left, right] = [encoder.encode(one), encoder.encode(other)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    if (left[index] !== right[index]) return left[index]! - right[index]!;
  }
  return left.length - right.length;
}
