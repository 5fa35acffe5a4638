/** Jobs with extras: what is found out about them before they are inserted. */
import type { JobExtras, NewJob } from "../../job/job.ts";
import type { Addition, LiveJob } from "../store.ts";
import { TRAITS } from "./traits.ts";

export type SpecialJob = NewJob & { readonly extras: JobExtras };

export interface Checked {
  /** Ids that are to be waited for and do not exist. */
  readonly missing: readonly string[];
  /** By position: live jobs whose unique keys are wanted by jobs that may not have them. */
  readonly taken: ReadonlyMap<number, LiveJob>;
  /** By position: live jobs with the same unique key, which stand for the ones not inserted. */
  readonly existing: ReadonlyMap<number, LiveJob>;
}

/** Why nothing of the call may be inserted; null: nothing speaks against it. */
export function refusalOf({ missing, taken }: Checked): Omit<Addition, "duplicates"> | null {
  return missing.length + taken.size === 0 ? null : { missing, taken: [...taken.values()] };
}

export function traitsOf({ unique, after, options, fileId, schedule }: JobExtras): number {
  return (unique === null ? 0 : TRAITS.UNIQUE) |
    (after === null ? 0 : TRAITS.WAITS) |
    (options?.callbackUrl === undefined ? 0 : TRAITS.CALLBACK) |
    (fileId === null ? 0 : TRAITS.FILES) |
    (schedule === null ? 0 : TRAITS.SCHEDULED);
}
