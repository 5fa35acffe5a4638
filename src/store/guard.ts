/**
 * From the transition table to SQL. Stores build every UPDATE of a state from these pieces, so that
 * the table in `job/state.ts` stays the only statement of the rules.
 */
import {
  FINISHED_STATES,
  type JobEvent,
  type JobState,
  LEASED_STATES,
  RUNNABLE_STATES,
  TRANSITIONS,
} from "../job/state.ts";

/** `'a', 'b'` for use in `state IN (...)`. */
export function quoteStates(states: readonly JobState[]): string {
  return states.map((state) => `'${state}'`).join(", ");
}

/** The state that an event leads to, quoted. */
export function targetState(event: JobEvent): string {
  return `'${TRANSITIONS[event].to}'`;
}

/**
 * The states from which an event may happen, as a predicate. The unary plus keeps SQLite from
 * choosing an index for it where the row is already found by its key.
 */
export function fromStates(event: JobEvent, column = "+jobs.state"): string {
  return `${column} IN (${quoteStates(TRANSITIONS[event].from)})`;
}

// A partial index serves a query only if the query repeats the index's own condition. These are the
// conditions, word for word.

/** Of the index jobs_runnable. */
export const RUNNABLE = `state IN (${quoteStates(RUNNABLE_STATES)})`;

/** Of the index jobs_leased. */
export const LEASED = `state IN (${quoteStates(LEASED_STATES)})`;

/** Of the index jobs_finished. */
export const FINISHED = `state IN (${quoteStates(FINISHED_STATES)})`;
