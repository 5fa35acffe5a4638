/** What reads and changes of jobs say in SQL alike. */
export {
  errorFromText,
  errorToText,
  JOB_COLUMNS,
  jobFromRow,
  optionsFromText,
} from "../shared/rows.ts";

/**
 * The options of a job that gets a fresh set of attempts, or its first, at the time of the parameter.
 * Their JSON was written by this program, from checked values, so `jsonb` takes it; NUL characters, which
 * it does not take, stand in none of them that have an age.
 */
export function renewedAge(parameter: string): string {
  return "CASE WHEN options LIKE '%\"maxAgeMs\":%' THEN jsonb_set(options::jsonb, '{retry,untilMs}', " +
    `to_jsonb(${parameter}::bigint + (options::jsonb #>> '{retry,maxAgeMs}')::bigint))::text ` +
    "ELSE options END";
}
