/**
 * Inserting what few jobs have: options, keys, unique keys, files, jobs to wait for. All of a call is
 * checked before anything of it is written.
 */
import { type After, HELD_MS, type JobExtras, type NewJob, type Payload } from "../../job/job.ts";
import { isAllowed, isFinished, type JobState } from "../../job/state.ts";
import type { Addition, LiveJob } from "../store.ts";
import type { Connection, SqlValue } from "./connection.ts";
import { type Ends, type EndState, meets, unmetError } from "./ends.ts";
import type { Files } from "./files.ts";
import { TRAITS } from "./traits.ts";
import type { Transaction } from "./transaction_counts.ts";

export type SpecialJob = NewJob & { readonly extras: JobExtras };

interface Checked {
  /** Why nothing may be inserted; null: nothing speaks against it. */
  readonly refusal: Addition | null;
  /** By position: jobs that live already under the unique key, and are not inserted again. */
  readonly existing: ReadonlyMap<number, LiveJob>;
}

export function prepareExtras(
  connection: Connection,
  { ends, files }: { ends: Ends; files: Files },
) {
  const findHolder = connection.prepare(
    "SELECT jobs.seq, jobs.id, jobs.state FROM unique_keys JOIN jobs ON jobs.seq = unique_keys.seq " +
      "WHERE unique_keys.key = ?",
  );
  const findJob = connection.prepare("SELECT seq, state FROM jobs WHERE id = ?");
  const insert = connection.prepare(
    "INSERT INTO jobs (id, queue, kind, state, priority, run_at, max_retries, timeout_ms, " +
      "created_at, updated_at, payload, options, flow_key, traits) " +
      "VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
  );
  const takeKey = connection.prepare("INSERT INTO unique_keys (key, seq) VALUES (?, ?)");
  const depend = connection.prepare(
    "INSERT INTO dependencies (seq, on_seq, on_id, condition, is_met, run_at) " +
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const markAwaited = connection.prepare(
    `UPDATE jobs SET traits = traits | ${TRAITS.AWAITED} WHERE seq = ?`,
  );
  const hold = connection.prepare(`UPDATE jobs SET run_at = ${HELD_MS} WHERE seq = ?`);

  function check(jobs: readonly NewJob[]): Checked {
    const ids = new Set(jobs.map((job) => job.id));
    const missing = new Set<string>();
    const taken: LiveJob[] = [];
    const existing = new Map<number, LiveJob>();
    for (const [index, { extras }] of jobs.entries()) {
      for (const id of extras?.after?.ids ?? []) {
        if (!ids.has(id) && findJob.get(id) === undefined) missing.add(id);
      }
      if (extras?.unique == null) continue;
      const holder = findHolder.get(extras.unique.key);
      if (holder === undefined) continue;
      const state = holder["state"] as JobState;
      const live = { id: holder["id"] as string, state, key: extras.unique.key };
      if (extras.unique.onConflict === "return") existing.set(index, live);
      else if (extras.unique.onConflict === "refuse" || !isAllowed("cancel", state)) {
        taken.push(live);
      }
    }
    const isFine = missing.size === 0 && taken.length === 0;
    return {
      refusal: isFine ? null : { duplicates: [], missing: [...missing], taken },
      existing,
    };
  }

  /** Inserts the row, and replaces the job that has its unique key. `payload` null: kept elsewhere. */
  function insertJob(
    job: SpecialJob,
    { nowMs, payload }: { nowMs: number; payload: Payload | null },
    transaction: Transaction,
  ): void {
    const { extras } = job;
    const { seq } = insert.get(
      job.id,
      job.queue,
      job.kind,
      job.priority,
      job.runAtMs,
      job.maxRetries,
      job.timeoutMs,
      nowMs,
      nowMs,
      payload as SqlValue,
      extras.options === null ? null : JSON.stringify(extras.options),
      extras.key,
      traitsOf(extras),
    ) as { seq: number };
    if (extras.unique !== null) {
      const holder = findHolder.get(extras.unique.key);
      if (holder !== undefined) {
        const error = { code: "replaced", message: `replaced by the job ${job.id}` } as const;
        ends.cancelWaiting(holder["seq"] as number, error, nowMs, transaction);
      }
      takeKey.run(extras.unique.key, seq);
    }
    if (extras.fileId !== null) files.attachInput(extras.fileId, seq);
  }

  /** Once all jobs of the call are there: who waits for whom. */
  function linkAll(
    jobs: readonly NewJob[],
    { existing, nowMs }: { existing: Checked["existing"]; nowMs: number },
    transaction: Transaction,
  ): void {
    const standIns = new Map([...existing].map(([index, live]) => [jobs[index]!.id, live.id]));
    for (const [index, { id, runAtMs, extras }] of jobs.entries()) {
      if (extras?.after == null || existing.has(index)) continue;
      const ids = extras.after.ids.map((one) => standIns.get(one) ?? one);
      link(
        findJob.get(id)!["seq"] as number,
        { ...extras.after, ids, runAtMs, nowMs },
        transaction,
      );
    }
  }

  function link(
    seq: number,
    { ids, on, runAtMs, nowMs }: After & { runAtMs: number; nowMs: number },
    transaction: Transaction,
  ): void {
    let isHeld = false;
    for (const id of ids) {
      const awaited = findJob.get(id);
      const state = awaited?.["state"] as JobState | undefined;
      // Only where nobody could be told: see addMissing().
      if (awaited === undefined || state === undefined) {
        ends.cancelWaiting(seq, unmetError(id, "missing"), nowMs, transaction);
        return;
      }
      const isOver = isFinished(state);
      if (isOver && !meets(on, state as EndState)) {
        ends.cancelWaiting(seq, unmetError(id, state as EndState), nowMs, transaction);
        return;
      }
      depend.run(seq, awaited["seq"]!, id, on, isOver ? 1 : 0, runAtMs);
      if (isOver) continue;
      isHeld = true;
      markAwaited.run(awaited["seq"]!);
    }
    if (isHeld) hold.run(seq);
  }

  return { check, insert: insertJob, linkAll };
}

function traitsOf({ unique, after, options, fileId, schedule }: JobExtras): number {
  return (unique === null ? 0 : TRAITS.UNIQUE) |
    (after === null ? 0 : TRAITS.WAITS) |
    (options?.callbackUrl === undefined ? 0 : TRAITS.CALLBACK) |
    (fileId === null ? 0 : TRAITS.FILES) |
    (schedule === null ? 0 : TRAITS.SCHEDULED);
}
