/** What is kept of a request that was answered. */
import type { JobState } from "../../job/state.ts";
import type { AddedJob } from "../store.ts";

/** How long an answer is kept. */
export const KEPT_MS = 24 * 3_600_000;

/** A job as it is kept: the id alone of a new one that waits. */
export type KeptJob = string | [id: string, state: JobState, isNew: 0 | 1];

export function toKept({ id, state, isNew }: AddedJob): KeptJob {
  return isNew && state === "pending" ? id : [id, state, isNew ? 1 : 0];
}

export function fromKept(kept: KeptJob): AddedJob {
  if (typeof kept === "string") return { id: kept, state: "pending", isNew: true };
  const [id, state, isNew] = kept;
  return { id, state, isNew: isNew === 1 };
}

export function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
