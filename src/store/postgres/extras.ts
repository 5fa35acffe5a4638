/**
 * What few jobs have: unique keys, files, jobs to wait for. All of a call is checked before anything of
 * it is written. Whoever adds such jobs does so exclusively; ends of jobs that are not awaited do not
 * wait for that, so the rows that matter are locked as they are looked at.
 */
import { cyclesIn } from "../../job/batch_relations.ts";
import { type After, HELD_MS, type NewJob } from "../../job/job.ts";
import { isAllowed, isFinished, type JobState } from "../../job/state.ts";
import { type EndState, meets, unmetError } from "../shared/endings.ts";
import type { Checked, SpecialJob } from "../shared/special_jobs.ts";
import { TRAITS } from "../shared/traits.ts";
import type { LiveJob } from "../store.ts";
import type { Sql } from "./connection.ts";
import { cancelWaiting } from "./ends.ts";
import { attachInput } from "./files.ts";
import type { Transaction } from "./transaction.ts";

export { refusalOf, traitsOf } from "../shared/special_jobs.ts";
export type { Checked, SpecialJob };

/** The live job that has a unique key. */
async function holderOf(
  key: string,
  sql: Sql,
): Promise<{ seq: number; id: string; state: JobState } | null> {
  const row = await sql.get(
    "SELECT jobs.seq, jobs.id, jobs.state FROM unique_keys JOIN jobs ON jobs.seq = unique_keys.seq " +
      "WHERE unique_keys.key = $1 FOR UPDATE OF jobs",
    key,
  );
  // One that ended while its row was waited for has given its key back.
  if (row === undefined || isFinished(row["state"] as JobState)) return null;
  return {
    seq: row["seq"] as number,
    id: row["id"] as string,
    state: row["state"] as JobState,
  };
}

async function findJob(id: string, sql: Sql): Promise<{ seq: number; state: JobState } | null> {
  const row = await sql.get("SELECT seq, state FROM jobs WHERE id = $1 FOR UPDATE", id);
  return row === undefined ? null : { seq: row["seq"] as number, state: row["state"] as JobState };
}

export async function check(
  jobs: readonly NewJob[],
  transaction: Transaction,
): Promise<Checked> {
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
    const holder = await holderOf(key, transaction);
    if (holder === null) continue;
    const live = { id: holder.id, state: holder.state, key };
    if (onConflict === "return") existing.set(index, live);
    else if (onConflict === "refuse" || !isAllowed("cancel", holder.state)) taken.set(index, live);
  }
  const ids = new Set(jobs.map((job) => job.id));
  const wanted = new Set<string>();
  for (const [index, { extras }] of jobs.entries()) {
    if (extras?.after == null || existing.has(index)) continue;
    for (const id of extras.after.ids) if (!ids.has(id)) wanted.add(id);
  }
  if (wanted.size === 0) return { missing: [], taken, existing };
  const rows = await transaction.all("SELECT id FROM jobs WHERE id = ANY($1::text[])", [...wanted]);
  const known = new Set(rows.map((row) => row["id"]));
  return { missing: [...wanted].filter((id) => !known.has(id)), taken, existing };
}

/** What belongs to the row of a job that was just inserted; replaces the job that has its key. */
export async function attach(
  { id, extras }: SpecialJob,
  seq: number,
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  if (extras.unique !== null) {
    const holder = await holderOf(extras.unique.key, transaction);
    if (holder !== null) {
      const error = { code: "replaced", message: `replaced by the job ${id}` } as const;
      await cancelWaiting(holder.seq, error, nowMs, transaction);
    }
    await transaction.run(
      "INSERT INTO unique_keys (key, seq) VALUES ($1, $2)",
      extras.unique.key,
      seq,
    );
  }
  if (extras.fileId !== null) await attachInput(extras.fileId, seq, transaction);
}

/**
 * Once all jobs of the call are there: who waits for whom. Returns the positions of those that can
 * never run, because a job that they were to wait for has ended otherwise; they are cancelled.
 */
export async function linkAll(
  jobs: readonly NewJob[],
  { existing, nowMs }: { existing: Checked["existing"]; nowMs: number },
  transaction: Transaction,
): Promise<ReadonlySet<number>> {
  const standIns = new Map([...existing].map(([index, live]) => [jobs[index]!.id, live.id]));
  const linked: number[] = [];
  for (const [index, { id, runAtMs, extras }] of jobs.entries()) {
    if (extras?.after == null || existing.has(index)) continue;
    linked.push(index);
    const ids = extras.after.ids.map((one) => standIns.get(one) ?? one);
    const { seq } = (await findJob(id, transaction))!;
    await link(seq, { ...extras.after, ids, runAtMs, nowMs }, transaction);
  }
  const cancelled = new Set<number>();
  for (const index of linked) {
    const job = await findJob(jobs[index]!.id, transaction);
    if (job!.state === "cancelled") cancelled.add(index);
  }
  return cancelled;
}

async function link(
  seq: number,
  { ids, on, runAtMs, nowMs }: After & { runAtMs: number; nowMs: number },
  transaction: Transaction,
): Promise<void> {
  // What was due at once is due when it is let go: it has not waited for a worker until then.
  const laterMs = runAtMs <= nowMs ? 0 : runAtMs;
  let unmet: { id: string; state: EndState | "missing" } | null = null;
  let isHeld = false;
  for (const id of ids) {
    const awaited = await findJob(id, transaction);
    if (awaited === null) { // only where nobody could be told: see addMissing()
      unmet ??= { id, state: "missing" };
      continue;
    }
    const { state } = awaited;
    const isMet = isFinished(state) && meets(on, state as EndState);
    await transaction.run(
      "INSERT INTO dependencies (seq, on_seq, on_id, condition, is_met, run_at) " +
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
      ...[seq, awaited.seq, id, on],
      ...[isMet ? 1 : 0, laterMs],
    );
    if (isFinished(state)) {
      if (!isMet) unmet ??= { id, state: state as EndState };
      continue;
    }
    isHeld = true;
    await transaction.run(
      `UPDATE jobs SET traits = traits | ${TRAITS.AWAITED} WHERE seq = $1`,
      awaited.seq,
    );
  }
  if (isHeld) await transaction.run(`UPDATE jobs SET run_at = ${HELD_MS} WHERE seq = $1`, seq);
  if (unmet === null) return;
  await cancelWaiting(seq, unmetError(unmet.id, unmet.state), nowMs, transaction);
}

/** Cancels as many of the jobs as it takes for none to wait for itself. */
export async function breakCycles(
  jobs: readonly NewJob[],
  nowMs: number,
  transaction: Transaction,
): Promise<void> {
  for (const { position } of cyclesIn(jobs)) {
    const { seq } = (await findJob(jobs[position]!.id, transaction))!;
    const message = "it was to wait for jobs that wait for it";
    await cancelWaiting(seq, { code: "dependency", message }, nowMs, transaction);
  }
}
