/**
 * Claiming: leases the jobs that are due, in order, for the workers that are free, within what was
 * said of their queues. One immediate transaction, so that limits hold over all processes; finds jobs
 * through the partial indexes of runnable ones only.
 *
 * Invariant: a claim that finds nothing it may lease says `isMoreDue: false`; whoever asks again
 * without being woken would ask in vain.
 */
import type { Payload } from "../../job/job.ts";
import { startsLeft } from "../../job/rate.ts";
import type { JobState } from "../../job/state.ts";
import { fromStates, targetState } from "../guard.ts";
import type { Claim, ClaimRequest } from "../store.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, Row } from "./connection.ts";
import { JobStream, merge, type Rows } from "./job_stream.ts";
import { type DueKey } from "../shared/due_keys.ts";
import { OF_KEY, prepareKeys } from "./keys.ts";
import { IN_LANE, type Lanes, type Level, rankOf } from "./lanes.ts";
import { type CountedRules } from "../shared/rules.ts";
import { prepareLimits } from "./limits.ts";
import {
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
import type { Transaction } from "./transaction_counts.ts";

/** Rows read at once. */
const PAGE = 256;

const EMPTY: Claim = { slots: [], isMoreDue: false, isHeldBack: false, nextDueAtMs: null };

const COLUMNS = "seq, id, queue, kind, state, run_at, attempts, max_retries, timeout_ms, " +
  "lease_token, options, traits, payload";

const IN_ORDER = "AND run_at <= ? AND (run_at, seq) > (?, ?) ORDER BY run_at, seq LIMIT ?";

export function prepareClaim(connection: Connection, lanes: Lanes) {
  const keys = prepareKeys(connection);
  const limits = prepareLimits(connection);
  // Range scan of jobs_runnable: one lane, in order.
  const selectDue = connection.prepare(`SELECT ${COLUMNS} ${IN_LANE} ${IN_ORDER}`);
  // Range scan of jobs_keyed: one key and kind, in order.
  const selectDueOfKey = connection.prepare(`SELECT ${COLUMNS} ${OF_KEY} ${IN_ORDER}`);
  const lease = new BulkStatement(
    connection,
    1,
    (rows) =>
      `UPDATE jobs SET state = ${targetState("claim")}, lease_holder = ?, lease_worker = ?, ` +
      "lease_token = lease_token + 1, lease_expires_at = ?, started_at = ?, updated_at = ? " +
      `WHERE seq IN (${rows}) AND ${fromStates("claim")}`,
  );
  const selectBody = connection.prepare("SELECT body FROM payloads WHERE seq = ?");
  let lastQueue = "";
  let isLastChunked = false;

  /** A queue's due jobs, priority by priority, in the order of the contract. */
  function* dueJobs(source: Source, search: ClaimSearch): Generator<Rows> {
    const { queue } = source;
    for (const level of lanes.levels(queue)) {
      const { priority } = level;
      const plainKinds = search.wanted(level.plainKinds, itself);
      const keyedKinds = search.wanted(level.keyedKinds, itself);
      if (keyedKinds.length === 0) {
        yield plainJobs(queue, priority, plainKinds, search);
      } else {
        const rows = fairJobs(source, { ...level, plainKinds, keyedKinds }, search);
        yield { next: () => rows.next().value ?? undefined };
      }
      for (const kind of plainKinds) {
        search.expect(lanes.nextRunAt({ queue, isKeyed: false, priority, kind }, search.nowMs));
      }
      for (const kind of keyedKinds) {
        search.expect(lanes.nextRunAt({ queue, isKeyed: true, priority, kind }, search.nowMs));
      }
    }
  }

  /** Jobs without a key, of one priority. */
  function plainJobs(
    queue: string,
    priority: number,
    kinds: readonly string[],
    search: ClaimSearch,
  ) {
    const rank = rankOf({ priority, isKeyed: false });
    return merge(kinds.map((kind) =>
      new JobStream(
        (runAt, seq, limit) => selectDue.all(queue, rank, kind, search.nowMs, runAt, seq, limit),
        // Where jobs were large, a free worker takes one: reading a page of them would be waste.
        () => isLastChunked ? PAGE : search.freeSlots,
      )
    ));
  }

  /** Jobs of one priority in a queue where some have a key: from each key one, in turn. */
  function* fairJobs(source: Source, level: Level, search: ClaimSearch): Generator<Row> {
    const { queue } = source;
    const { priority, plainKinds, keyedKinds: kinds } = level;
    const { nowMs, steps } = search;
    const held = (key: string | null) => {
      if (source.hasRoomFor(key)) return false;
      search.isHeldBack = true;
      return true;
    };
    const rowsOf = ({ key, kinds }: DueKey): Rows =>
      key === null ? plainJobs(queue, priority, kinds, search) : merge(kinds.map((kind) => {
        let pages = 0;
        return new JobStream(
          (runAt, seq, limit) =>
            selectDueOfKey.all(queue, priority, key, kind, nowMs, runAt, seq, limit),
          () => pages++ === 0 ? 1 : KEY_PAGE,
        );
      }));
    // The first round finds the keys; the others go through those that had a job in it.
    const found: { key: string | null; rows: Rows }[] = [];
    for (const due of keys.inTurn({ queue, priority, kinds, nowMs }, plainKinds, steps)) {
      if (due.kinds.length === 0 || held(due.key)) continue;
      const rows = rowsOf(due);
      const row = rows.next();
      if (row === undefined) continue;
      source.turn = { priority, key: due.key };
      yield row;
      found.push({ key: due.key, rows });
    }
    for (let left = found; left.length > 0;) {
      const more: typeof found = [];
      for (const { key, rows } of left) {
        if (held(key)) continue;
        const row = rows.next();
        if (row === undefined) continue;
        source.turn = { priority, key };
        yield row;
        more.push({ key, rows });
      }
      left = more;
    }
  }

  /** Where a queue's jobs come from; null: none of them may start now. */
  function openSource(
    queue: string,
    { rules, search, transaction }: {
      rules: CountedRules | undefined;
      search: ClaimSearch;
      transaction: Transaction;
    },
  ): Source | null {
    if (rules === undefined) return new Source(queue);
    if (rules.pausedAtMs !== null) return null;
    let [byRunning, byRate] = [Infinity, Infinity];
    if (rules.maxRunning !== null) {
      byRunning = rules.maxRunning - transaction.leased(queue);
      if (byRunning <= 0) {
        search.isHeldBack = true;
        return null;
      }
    }
    if (rules.rate !== null) {
      const { left, nextAtMs } = startsLeft(rules.rate, rules.starts, search.nowMs);
      search.expect(nextAtMs);
      if (left === 0) return null;
      byRate = left;
    }
    const running = rules.keyMaxRunning === null ? null : keys.running(queue);
    return new Source(queue, { rules, byRunning, byRate, running });
  }

  /** After the claim: what counts from now on, and when those that were held back may start. */
  function closeSource(
    { queue, rules, taken, byRunning, byRate }: Source,
    search: ClaimSearch,
  ): void {
    if (rules === null || taken === 0) return;
    if (taken >= byRunning) search.isHeldBack = true;
    if (rules.rate === null) return;
    const { rate } = rules;
    const starts = limits.count(queue, { ...rules, rate }, search.nowMs, taken);
    if (taken >= byRate) search.expect(startsLeft(rate, starts, search.nowMs).nextAtMs);
  }

  return (request: ClaimRequest, transaction: Transaction): Claim => {
    if (request.slots.length === 0) return EMPTY;
    const search = new ClaimSearch(request);
    const packing = new Packing(request);
    const rulesOf = limits.all();
    const queues = lanes.queues(lastQueue);
    let isMoreDue = false;

    /** In turn: from each queue a slot's worth, until the slots or the jobs are used up. */
    function takeFrom(all: readonly Source[]): void {
      const sources = all.map((source) => ({ source, levels: dueJobs(source, search) }));
      while (sources.length > 0 && !isMoreDue) {
        for (let index = 0; index < sources.length && !isMoreDue; index++) {
          const { source, levels } = sources[index]!;
          const { queue } = source;
          const slotsBefore = packing.slotsBegun;
          while (true) {
            const row = source.next(levels);
            if (row === undefined) {
              sources.splice(index--, 1);
              break;
            }
            if (!packing.hasRoomFor(packedFromRow(row))) {
              isMoreDue = true;
              break;
            }
            packing.put(leasedFromRow(row, payloadOf(row)));
            const from = (row["state"] as JobState) as CountedState;
            transaction.count(queue, from, -1);
            transaction.count(queue, "leased", 1);
            lastQueue = queue;
            search.freeSlots = packing.slotsFree;
            source.took();
            const { turn } = source;
            if (turn !== null) keys.hadTurn(queue, turn.priority, turn.key);
            if (sources.length > 1 && packing.slotsBegun > slotsBefore && packing.isSlotFull) break;
          }
        }
      }
    }

    let looked = 0;
    let areQueuesLeft = true;
    while (areQueuesLeft && !isMoreDue && looked < MOST_QUEUES) {
      const sources: Source[] = [];
      let lastLooked = lastQueue;
      for (let count = 0; count < QUEUES_AT_ONCE; count++) {
        const { value: queue, done } = queues.next();
        if (done) {
          areQueuesLeft = false;
          break;
        }
        looked++;
        lastLooked = queue;
        const source = openSource(queue, { rules: rulesOf.get(queue), search, transaction });
        if (source !== null) sources.push(source);
      }
      takeFrom(sources);
      for (const source of sources) closeSource(source, search);
      if (!isMoreDue && looked >= MOST_QUEUES) lastQueue = lastLooked;
    }
    const { holder, nowMs, leaseExpiresAtMs } = request;
    for (const { worker, jobs } of packing.slots) {
      const before = [holder, worker, leaseExpiresAtMs, nowMs, nowMs];
      lease.all(jobs.map((job) => [job.seq]), { before });
      if (!transaction.journal.isFollowed) continue;
      for (const { seq } of jobs) transaction.journal.job("job.started", seq);
    }
    isLastChunked = packing.isAnyChunked;
    // There was more to look through than one claim takes. Where it has found something, others will
    // follow at once; else later, because nobody knows whether there is anything to be found.
    const isCutShort = search.steps.left <= 0 || (areQueuesLeft && looked >= MOST_QUEUES);
    if (isCutShort && packing.slots.length > 0) isMoreDue = true;
    else if (isCutShort) search.expect(nowMs + GO_ON_AFTER_MS);
    const { isHeldBack, nextDueAtMs } = search;
    return { slots: packing.slots, isMoreDue, isHeldBack, nextDueAtMs };
  };

  function payloadOf(row: Row): Payload {
    return (row["payload"] ?? selectBody.get(row["seq"] as number)!["body"]) as Payload;
  }
}

const itself = (kind: string): string => kind;

/** A queue in a claim. */
class Source extends QueueShare {
  /** Of the priority that is looked at. */
  #rows: Rows | undefined;

  /** The next job, from the priorities that are left; undefined: no other may start now. */
  next(levels: Generator<Rows>): Row | undefined {
    if (this.isUsedUp) return undefined;
    while (true) {
      const row = this.#rows?.next();
      if (row !== undefined) return row;
      const { value, done } = levels.next();
      if (done) return undefined;
      this.#rows = value;
    }
  }
}
