/**
 * Finding jobs by what stands in them. There is no index of words, which every insert would pay for:
 * jobs are looked at newest first, a bounded number at a time, so that others get their turn between.
 * Where all terms name one finished state, its index is walked instead of the whole table.
 */
import type { SearchSlice } from "../shared/operations.ts";
import type { SearchTerm } from "../../job/search.ts";
import { isFinished, type JobState } from "../../job/state.ts";
import { FINISHED, quoteStates } from "../guard.ts";
import type { SearchQuery } from "../store.ts";
import type { Connection, SqlValue } from "./connection.ts";
import { JOB_COLUMNS, jobFromRow } from "../shared/rows.ts";

/** So many jobs are looked at before others get their turn: some 5 ms. */
const SLICE = 2_000;

interface Condition {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

export function prepareSearch(connection: Connection) {
  return ({ terms, limit, beforeSeq = Number.MAX_SAFE_INTEGER }: SearchQuery): SearchSlice => {
    const source = sourceOf(terms);
    const visited = `SELECT seq FROM ${source} AND seq < ? ORDER BY seq DESC LIMIT ${SLICE}`;
    const { least, found } = connection.prepare(
      `SELECT min(seq) AS least, count(*) AS found FROM (${visited})`,
    ).get(beforeSeq) as { least: number | null; found: number };
    if (least === null) return { page: { jobs: [], nextSeq: null }, nextSeq: null };
    const conditions = terms.map(conditionOf);
    const where = conditions.map(({ sql }) => ` AND ${sql}`).join("");
    const rows = connection.prepare(
      `SELECT ${JOB_COLUMNS} FROM ${source} AND seq < ? AND seq >= ?${where} ` +
        "ORDER BY seq DESC LIMIT ?",
    ).all(
      beforeSeq,
      least,
      ...conditions.flatMap(({ parameters }) => parameters),
      limit + 1,
    );
    const jobs = rows.slice(0, limit).map(jobFromRow);
    if (rows.length > limit) {
      const nextSeq = jobs.at(-1)!.seq;
      return { page: { jobs, nextSeq }, nextSeq };
    }
    const nextSeq = found < SLICE ? null : least;
    return { page: { jobs, nextSeq }, nextSeq };
  };
}

/** What is walked, with a condition to which others can be added. */
function sourceOf(terms: readonly SearchTerm[]): string {
  for (const term of terms) {
    if (term.type !== "state" || term.isNot || term.states.length !== 1) continue;
    const [state] = term.states as [JobState];
    if (isFinished(state)) {
      return `jobs INDEXED BY jobs_finished WHERE state = '${state}' AND ${FINISHED}`;
    }
  }
  return "jobs WHERE 1";
}

function conditionOf(term: SearchTerm): Condition {
  const { sql, parameters } = positive(term);
  // NULL is neither: a job without an error does not hold the word.
  return { sql: term.isNot ? `NOT coalesce((${sql}), 0)` : `(${sql})`, parameters };
}

function positive(term: SearchTerm): Condition {
  switch (term.type) {
    case "state":
      return { sql: `+jobs.state IN (${quoteStates(term.states)})`, parameters: [] };
    case "queue":
      return { sql: "jobs.queue = ?", parameters: [term.name] };
    case "kind":
      return { sql: "jobs.kind = ?", parameters: [term.name] };
    case "key":
      return { sql: "jobs.flow_key = ?", parameters: [term.name] };
    case "worker":
      return { sql: "jobs.lease_worker = ?", parameters: [term.name] };
    case "id":
      return { sql: "substr(jobs.id, 1, ?) = ?", parameters: [term.prefix.length, term.prefix] };
    case "created":
      return { sql: `jobs.created_at ${term.isBefore ? "<" : ">="} ?`, parameters: [term.atMs] };
    case "payload":
      return {
        sql: "CASE WHEN typeof(jobs.payload) = 'blob' THEN 0 ELSE " +
          `CAST(json_extract(${PAYLOAD}, ?) AS TEXT) LIKE ? ESCAPE '\\' END`,
        parameters: [jsonPath(term.path), likePattern(term.value)],
      };
    case "word": {
      const word = term.word.toLowerCase();
      const places = term.where === "any"
        ? [PLACES.id, PLACES.payload, PLACES.error, PLACES.output]
        : [PLACES[term.where]];
      return { sql: places.join(" OR "), parameters: places.map(() => word) };
    }
  }
}

const PAYLOAD = "coalesce(jobs.payload, (SELECT body FROM payloads WHERE payloads.seq = jobs.seq))";

/** Lower-case ASCII only, as SQLite does it. */
const PLACES = {
  id: "instr(lower(jobs.id), ?) > 0",
  payload: `instr(lower(CAST(${PAYLOAD} AS TEXT)), ?) > 0`,
  error: "instr(lower(jobs.last_error), ?) > 0",
  output: "EXISTS (SELECT 1 FROM output WHERE output.seq = jobs.seq AND " +
    "instr(lower(CAST(output.bytes AS TEXT)), ?) > 0)",
} as const;

/** `$."a"."b"`; a name of digits is also the place in an array. */
function jsonPath(path: readonly string[]): string {
  return "$" +
    path.map((name) => /^\d{1,6}$/.test(name) ? `[${name}]` : `."${name.replaceAll('"', "")}"`)
      .join("");
}

/** `*` stands for anything; case of ASCII letters does not matter. */
function likePattern(value: string): string {
  return value.replace(/[\\%_]/g, "\\$&").replaceAll("*", "%");
}
