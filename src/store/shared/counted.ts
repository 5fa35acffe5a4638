/** What is counted of jobs: by queue and state, and what happened in each ten seconds. */
import type { JobState } from "../../job/state.ts";
import type { Throughput } from "../store.ts";

/** A state as it is counted: those under a lease together, because they change too often. */
export type CountedState = Exclude<JobState, "started" | "processing"> | "leased";

export type Tally = keyof Throughput;

/** The width of a bucket of the throughput. */
export const BUCKET_MS = 10_000;
