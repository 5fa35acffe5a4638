/**
 * Claiming: leases the jobs that are due, in order, for the workers that are free. One immediate
 * transaction; finds jobs through the partial index of runnable ones only.
 */
import type { LeasedJob, Payload } from "../../job/job.ts";
import type { JobState } from "../../job/state.ts";
import { fromStates, RUNNABLE, targetState } from "../guard.ts";
import type { Claim, ClaimRequest } from "../store.ts";
import { BulkStatement } from "./bulk.ts";
import type { Connection, Row } from "./connection.ts";
import type { Lanes } from "./lanes.ts";
import { optionsFromText } from "./rows.ts";
import { TRAITS } from "./traits.ts";
import type { CountedState, Transaction } from "./transaction_counts.ts";

/** So many queues are looked at in one claim; the next claim goes on where this one ended. */
const QUEUES_PER_CLAIM = 64;

/** Rows read at once. */
const PAGE = 256;

const EMPTY: Claim = { slots: [], isMoreDue: false, nextDueAtMs: null };

export function prepareClaim(connection: Connection, lanes: Lanes) {
  // Range scan of jobs_runnable: one lane, in order.
  const selectDue = connection.prepare(
    "SELECT seq, id, queue, kind, state, run_at, attempts, max_retries, timeout_ms, " +
      `lease_token, options, traits, payload FROM jobs INDEXED BY jobs_runnable WHERE ${RUNNABLE} ` +
      "AND queue = ? AND priority = ? AND run_at <= ? AND (run_at, seq) > (?, ?) " +
      "ORDER BY run_at, seq LIMIT ?",
  );
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

  /** Due jobs of a queue, in the order of the contract. */
  function* dueJobs(queue: string, nowMs: number, findings: Findings): Generator<Row> {
    for (const priority of lanes.priorities(queue)) {
      let runAt = -1;
      let seq = -1;
      while (true) {
        // Where jobs were large, a free worker takes one: reading a page of them would be waste.
        const limit = isLastChunked ? PAGE : findings.freeSlots;
        const rows = selectDue.all(queue, priority, nowMs, runAt, seq, limit);
        yield* rows;
        if (rows.length < limit) break;
        ({ run_at: runAt, seq } = rows.at(-1) as { run_at: number; seq: number });
      }
      const nextDueAtMs = lanes.nextRunAt(queue, priority, nowMs);
      findings.nextDueAtMs = earlier(findings.nextDueAtMs, nextDueAtMs);
    }
  }

  return (request: ClaimRequest, transaction: Transaction): Claim => {
    const { nowMs, holder } = request;
    if (request.slots.length === 0) return EMPTY;
    const queues = lanes.queues(lastQueue, QUEUES_PER_CLAIM);
    const findings: Findings = { nextDueAtMs: null, freeSlots: request.slots.length };
    const packing = new Packing(request);
    const sources = queues.map((queue) => ({ queue, rows: dueJobs(queue, nowMs, findings) }));
    // In turn: from each queue a slot's worth, until the slots or the jobs are used up.
    let isMoreDue = false;
    while (sources.length > 0 && !isMoreDue) {
      for (let index = 0; index < sources.length && !isMoreDue; index++) {
        const { queue, rows } = sources[index]!;
        const slotsBefore = packing.slotsBegun;
        while (true) {
          const { value: row, done } = rows.next();
          if (done) {
            sources.splice(index--, 1);
            break;
          }
          if (!packing.hasRoomFor(row["kind"] as string, row["attempts"] as number)) {
            isMoreDue = true;
            break;
          }
          packing.put(leasedJob(row));
          const from = (row["state"] as JobState) as CountedState;
          transaction.count(queue, from, -1);
          transaction.count(queue, "leased", 1);
          lastQueue = queue;
          findings.freeSlots = packing.slotsFree;
          if (sources.length > 1 && packing.slotsBegun > slotsBefore && packing.isSlotFull) break;
        }
      }
    }
    for (const { worker, jobs } of packing.slots) {
      const before = [holder, worker, request.leaseExpiresAtMs, nowMs, nowMs];
      lease.all(jobs.map((job) => [job.seq]), { before });
    }
    isLastChunked = packing.isAnyChunked;
    return {
      slots: packing.slots,
      isMoreDue: isMoreDue || queues.length === QUEUES_PER_CLAIM,
      nextDueAtMs: findings.nextDueAtMs,
    };
  };

  function leasedJob(row: Row): LeasedJob {
    const seq = row["seq"] as number;
    return {
      seq,
      token: (row["lease_token"] as number) + 1,
      id: row["id"] as string,
      queue: row["queue"] as string,
      kind: row["kind"] as string,
      payload: (row["payload"] ?? selectBody.get(seq)!["body"]) as Payload,
      attempts: row["attempts"] as number,
      maxRetries: row["max_retries"] as number,
      timeoutMs: row["timeout_ms"] as number | null,
      options: optionsFromText(row["options"] as string | null),
      hasFiles: ((row["traits"] as number) & TRAITS.FILES) !== 0,
    };
  }
}

interface Findings {
  nextDueAtMs: number | null;
  freeSlots: number;
}

/**
 * Deals jobs to free workers: each gets one job, or several where the kind allows it. A job that
 * has failed before goes alone, so that one that kills its worker takes no other with it.
 */
class Packing {
  readonly slots: { worker: string; jobs: LeasedJob[] }[] = [];
  isAnyChunked = false;
  readonly #request: ClaimRequest;
  #room = 0;
  #bytes = 0;

  constructor(request: ClaimRequest) {
    this.#request = request;
  }

  get slotsBegun(): number {
    return this.slots.length;
  }

  get slotsFree(): number {
    return Math.max(1, this.#request.slots.length - this.slots.length);
  }

  get isSlotFull(): boolean {
    return this.#room === 0;
  }

  hasRoomFor(kind: string, attempts: number): boolean {
    return this.slots.length < this.#request.slots.length ||
      this.#share(kind, attempts) <= this.#room;
  }

  put(job: LeasedJob): void {
    const share = this.#share(job.kind, job.attempts);
    if (share > this.#room) {
      this.slots.push({ worker: this.#request.slots[this.slots.length]!, jobs: [] });
      this.#room = 1;
      this.#bytes = 0;
    }
    this.slots.at(-1)!.jobs.push(job);
    this.#room -= share;
    if (share < 1) this.isAnyChunked = true;
    this.#bytes += typeof job.payload === "string" ? job.payload.length : job.payload.byteLength;
    if (this.#bytes >= this.#request.chunkBytes || this.#room < 1e-9) this.#room = 0;
  }

  #share(kind: string, attempts: number): number {
    return attempts > 0 ? 1 : 1 / (this.#request.chunk[kind] ?? 1);
  }
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
