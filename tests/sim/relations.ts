/**
 * The model's part about jobs that have to do with each other: who waits for whom, whose is a unique
 * key. Written from the promises, not from the store: it looks through all jobs every time.
 */
import assert from "node:assert/strict";
import { type AfterCondition, HELD_MS, type NewJob } from "../../src/job/job.ts";
import { isAllowed, isFinished } from "../../src/job/state.ts";
import { type Addition, isRefused, type LiveJob } from "../../src/store/store.ts";
import type { Model, ModelJob } from "./model.ts";

/** That one job waits for another. */
export interface ModelDependency {
  readonly on: ModelJob;
  readonly condition: AfterCondition;
  fate: "open" | "met" | "waived";
  /** Not before this; 0: as soon as it can. */
  notBeforeMs: number;
}

/** What the store is to answer, and in the model has done. */
export function addRelated(model: Model, jobs: readonly NewJob[]): Addition {
  const expected = expectedAddition(model, jobs);
  if (isRefused(expected)) return expected;
  const ids = new Map<string, string>();
  for (const [index, job] of jobs.entries()) {
    const existing = expected.existing!.get(index);
    if (existing !== undefined) {
      ids.set(job.id, existing.id);
      continue;
    }
    const { unique = null } = job.extras ?? {};
    const replaced = unique === null ? undefined : holderOf(model, unique.key);
    if (replaced !== undefined) {
      model.apply("cancel", replaced);
      ended(model, replaced);
    }
    model.add(job).uniqueKey = unique?.key ?? null;
  }
  const cancelled = new Set<number>();
  for (const [index, job] of jobs.entries()) {
    if (job.extras?.after == null || expected.existing!.has(index)) continue;
    const added = model.jobs.get(job.id)!;
    wait(model, added, job, job.extras.after.ids.map((id) => model.jobs.get(ids.get(id) ?? id)!));
  }
  for (const [index, job] of jobs.entries()) {
    if (job.extras?.after == null || expected.existing!.has(index)) continue;
    if (model.jobs.get(job.id)!.state === "cancelled") cancelled.add(index);
  }
  return { ...expected, cancelled };
}

function expectedAddition(model: Model, jobs: readonly NewJob[]): Addition {
  const existing = new Map<number, LiveJob>();
  const taken: LiveJob[] = [];
  const missing = new Set<string>();
  for (const [index, { extras }] of jobs.entries()) {
    if (extras?.unique == null) continue;
    const { key, onConflict } = extras.unique;
    const holder = holderOf(model, key);
    if (holder === undefined) continue;
    const live = { id: holder.id, state: holder.state, key };
    if (onConflict === "return") existing.set(index, live);
    else if (onConflict === "refuse" || !isAllowed("cancel", holder.state)) taken.push(live);
  }
  for (const [index, { extras }] of jobs.entries()) {
    for (const id of existing.has(index) ? [] : extras?.after?.ids ?? []) {
      if (!model.jobs.has(id) && !jobs.some((job) => job.id === id)) missing.add(id);
    }
  }
  if (missing.size + taken.length > 0) return { duplicates: [], missing: [...missing], taken };
  return { duplicates: [], existing };
}

/** The live job with this unique key. */
export function holderOf(model: Model, key: string): ModelJob | undefined {
  const holders = [...model.jobs.values()].filter((job) =>
    job.uniqueKey === key && !isFinished(job.state)
  );
  assert.ok(holders.length <= 1, `${holders.length} live jobs have the unique key ${key}`);
  return holders[0];
}

function wait(model: Model, job: ModelJob, { extras, runAtMs }: NewJob, on: ModelJob[]): void {
  const condition = extras!.after!.on;
  for (const awaited of new Set(on)) {
    const isOver = isFinished(awaited.state);
    const fate = isOver && meets(condition, awaited) ? "met" : "open";
    const notBeforeMs = runAtMs <= model.nowMs ? 0 : runAtMs;
    job.after.push({ on: awaited, condition, fate, notBeforeMs });
  }
  const open = job.after.filter(({ fate }) => fate === "open");
  if (open.some((dependency) => !isFinished(dependency.on.state))) job.runAtMs = HELD_MS;
  if (open.some((dependency) => isFinished(dependency.on.state))) {
    model.apply("cancel", job);
    ended(model, job);
  }
}

/** Whether the job has ended as it was to. */
function meets(condition: AfterCondition, { state }: ModelJob): boolean {
  if (condition === "any") return true;
  return condition === "success" ? state === "completed" : state !== "completed";
}

/** The job has ended, or is about to be removed: those who wait for it run, or never will. */
export function ended(model: Model, job: ModelJob, isRemoved = false): void {
  for (const dependent of [...model.jobs.values()]) {
    for (const dependency of dependent.after) {
      if (dependency.on !== job || dependency.fate !== "open") continue;
      const isMet = isRemoved
        ? dependency.condition !== "success"
        : meets(dependency.condition, job);
      if (isMet) {
        dependency.fate = "met";
        const isFree = dependent.after.every(({ fate }) => fate !== "open");
        if (isFree && dependent.runAtMs === HELD_MS && isAllowed("claim", dependent.state)) {
          dependent.runAtMs = Math.max(model.nowMs, dependency.notBeforeMs);
        }
      } else if (isAllowed("cancel", dependent.state)) {
        model.apply("cancel", dependent);
        ended(model, dependent);
      }
    }
  }
}

/** A job gets a fresh set of attempts: it waits again for what has not ended yet, and no more. */
export function waitAgain(model: Model, job: ModelJob): void {
  for (const dependency of job.after) {
    dependency.notBeforeMs = 0;
    if (dependency.fate !== "open") continue;
    const { on } = dependency;
    const isGone = model.jobs.get(on.id) !== on;
    if (isGone || isFinished(on.state)) dependency.fate = "waived";
  }
  if (job.after.some(({ fate }) => fate === "open")) job.runAtMs = HELD_MS;
}

/** How many dead jobs can be requeued: of those with one unique key, one at most. */
export function requeueable(model: Model): number {
  const dead = model.inState("dead");
  const keys = new Set(dead.map(({ uniqueKey }) => uniqueKey).filter((key) => key !== null));
  const free = [...keys].filter((key) => holderOf(model, key) === undefined);
  return dead.filter(({ uniqueKey }) => uniqueKey === null).length + free.length;
}
