/**
 * Inserting what few jobs have: options, keys, unique keys, files, jobs to wait for. All of a call is
 * checked before anything of it is written.
 */
import { type Checked, type SpecialJob, traitsOf } from "../shared/special_jobs.ts";
import { cyclesIn } from "../../job/batch_relations.ts";
import { type After, HELD_MS, type NewJob, type Payload } from "../../job/job.ts";
import { isAllowed, isFinished, type JobState } from "../../job/state.ts";
import type { LiveJob } from "../store.ts";
import type { Connection, SqlValue } from "./connection.ts";
import { type EndState, meets, unmetError } from "../shared/endings.ts";
import { type Ends } from "./ends.ts";
import type { Files } from "./files.ts";
import { TRAITS } from "../shared/traits.ts";
import type { Transaction } from "./transaction_counts.ts";

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
    const taken = new Map<number, LiveJob>();
    const existing = new Map<number, LiveJob>();
    const ownKeys = new Map<string, string>();
    for (const [index, { id, extras }] of jobs.entries()) {
      if (extras?.unique == null) continue;
      const { key, onConflict } = extras.unique;
      const ownHolder = ownKeys.get(key);
      if (ownHolder !== undefined) {
        taken.set(index, { id: ownHolder, state: "pending", key });
        continue;
      }
      ownKeys.set(key, id);
      const holder = findHolder.get(key);
      if (holder === undefined) continue;
      const state = holder["state"] as JobState;
      const live = { id: holder["id"] as string, state, key };
      if (onConflict === "return") existing.set(index, live);
      else if (onConflict === "refuse" || !isAllowed("cancel", state)) taken.set(index, live);
    }
    const ids = new Set(jobs.map((job) => job.id));
    const missing = new Set<string>();
    for (const [index, { extras }] of jobs.entries()) {
      if (extras?.after == null || existing.has(index)) continue;
      for (const id of extras.after.ids) {
        if (!ids.has(id) && findJob.get(id) === undefined) missing.add(id);
      }
    }
    return { missing: [...missing], taken, existing };
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

  /**
   * Once all jobs of the call are there: who waits for whom. Returns the positions of those that can
   * never run, because a job that they were to wait for has ended otherwise; they are cancelled.
   */
  function linkAll(
    jobs: readonly NewJob[],
    { existing, nowMs }: { existing: Checked["existing"]; nowMs: number },
    transaction: Transaction,
  ): ReadonlySet<number> {
    const standIns = new Map([...existing].map(([index, live]) => [jobs[index]!.id, live.id]));
    const linked: number[] = [];
    for (const [index, { id, runAtMs, extras }] of jobs.entries()) {
      if (extras?.after == null || existing.has(index)) continue;
      linked.push(index);
      const ids = extras.after.ids.map((one) => standIns.get(one) ?? one);
      const seq = findJob.get(id)!["seq"] as number;
      link(seq, { ...extras.after, ids, runAtMs, nowMs }, transaction);
    }
    const isCancelled = (index: number) => findJob.get(jobs[index]!.id)!["state"] === "cancelled";
    return new Set(linked.filter(isCancelled));
  }

  function link(
    seq: number,
    { ids, on, runAtMs, nowMs }: After & { runAtMs: number; nowMs: number },
    transaction: Transaction,
  ): void {
    // What was due at once is due when it is let go: it has not waited for a worker until then.
    const laterMs = runAtMs <= nowMs ? 0 : runAtMs;
    let unmet: { id: string; state: EndState | "missing" } | null = null;
    let isHeld = false;
    for (const id of ids) {
      const awaited = findJob.get(id);
      if (awaited === undefined) { // only where nobody could be told: see addMissing()
        unmet ??= { id, state: "missing" };
        continue;
      }
      const state = awaited["state"] as JobState;
      const isMet = isFinished(state) && meets(on, state as EndState);
      depend.run(seq, awaited["seq"]!, id, on, isMet ? 1 : 0, laterMs);
      if (isFinished(state)) {
        if (!isMet) unmet ??= { id, state: state as EndState };
        continue;
      }
      isHeld = true;
      markAwaited.run(awaited["seq"]!);
    }
    if (isHeld) hold.run(seq);
    if (unmet === null) return;
    ends.cancelWaiting(seq, unmetError(unmet.id, unmet.state), nowMs, transaction);
  }

  /** Cancels as many of the jobs as it takes for none to wait for itself. */
  function breakCycles(jobs: readonly NewJob[], nowMs: number, transaction: Transaction): void {
    for (const { position } of cyclesIn(jobs)) {
      const seq = findJob.get(jobs[position]!.id)!["seq"] as number;
      const message = "it was to wait for jobs that wait for it";
      ends.cancelWaiting(seq, { code: "dependency", message }, nowMs, transaction);
    }
  }

  return { check, insert: insertJob, linkAll, breakCycles };
}
