/**
 * The states of a job and the only statement of how it moves between them. Stores derive their
 * WHERE clauses from this table, the documentation's chart is drawn from it, the simulation walks
 * it. Nothing else in the program decides whether a change of state is allowed.
 */

/** Every state, in the order in which a healthy job passes them. */
export const STATES = [
  "pending",
  "started",
  "processing",
  "completed",
  "failed",
  "dead",
  "cancelled",
] as const;

/** Where a job stands. */
export type JobState = (typeof STATES)[number];

/**
 * What must hold, besides the state, for a change to happen:
 * `due`: its `run_at` has come; `lease`: the writer holds the current lease (same holder, same
 * token); `lapsed`: the lease has expired, or its holder is known to be dead; `none`: nothing.
 */
export type Guard = "due" | "lease" | "lapsed" | "none";

export interface Transition {
  readonly from: readonly JobState[];
  readonly to: JobState;
  readonly guard: Guard;
}

export const TRANSITIONS = {
  /** A worker takes the job under a new lease. */
  claim: { from: ["pending", "failed"], to: "started", guard: "due" },
  /** Its handler starts to run. */
  begin: { from: ["started"], to: "processing", guard: "lease" },
  /** The attempt succeeded. */
  complete: { from: ["started", "processing"], to: "completed", guard: "lease" },
  /** The attempt failed and retries are left. */
  fail: { from: ["started", "processing"], to: "failed", guard: "lease" },
  /** The attempt failed and none are left. */
  bury: { from: ["started", "processing"], to: "dead", guard: "lease" },
  /** The worker gives the job back unharmed, as on shutdown: no attempt is counted. */
  release: { from: ["started", "processing"], to: "pending", guard: "lease" },
  /** The handler asked to run again later: no attempt is counted. */
  snooze: { from: ["started", "processing"], to: "pending", guard: "lease" },
  /** The worker stopped the job because somebody asked for that. */
  abort: { from: ["started", "processing"], to: "cancelled", guard: "lease" },
  /** The lease ran out: the attempt counts as failed, retries are left. */
  reap: { from: ["started", "processing"], to: "failed", guard: "lapsed" },
  /** The lease ran out and no retries are left. */
  reapDead: { from: ["started", "processing"], to: "dead", guard: "lapsed" },
  /** The lease ran out while a cancellation was waiting for its holder. */
  reapCancelled: { from: ["started", "processing"], to: "cancelled", guard: "lapsed" },
  /** Somebody cancels a job that waits. */
  cancel: { from: ["pending", "failed"], to: "cancelled", guard: "none" },
  /** Somebody gives a finished job a fresh set of attempts. */
  requeue: { from: ["dead", "cancelled"], to: "pending", guard: "none" },
} as const satisfies Record<string, Transition>;

/** The name of a change of state. */
export type JobEvent = keyof typeof TRANSITIONS;

/** States in which a job waits to be claimed. */
export const RUNNABLE_STATES = TRANSITIONS.claim.from;

/** States in which a job is held under a lease. */
export const LEASED_STATES = TRANSITIONS.complete.from;

/** States in which a job stays unless a person acts. */
export const FINISHED_STATES = ["completed", "dead", "cancelled"] as const satisfies JobState[];

/** The `status` that the HTTP API shows for a state. */
export const HTTP_STATUS_OF = {
  pending: "pending",
  started: "started",
  processing: "processing",
  completed: "done",
  failed: "pending",
  dead: "failed",
  cancelled: "cancelled",
} as const satisfies Record<JobState, string>;

/** Whether the word names a state. */
export function isJobState(word: string): word is JobState {
  return (STATES as readonly string[]).includes(word);
}

/** Whether the event may happen to a job in this state. */
export function isAllowed(event: JobEvent, state: JobState): boolean {
  return (TRANSITIONS[event].from as readonly JobState[]).includes(state);
}

/** Whether the job will not run again by itself. */
export function isFinished(state: JobState): boolean {
  return (FINISHED_STATES as readonly JobState[]).includes(state);
}

/** Whether a worker holds the job. */
export function isLeased(state: JobState): boolean {
  return (LEASED_STATES as readonly JobState[]).includes(state);
}
