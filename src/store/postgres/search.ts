/**
 * Finding jobs by what stands in them, as in SQLite: no index of words; jobs are looked at newest
 * first, a bounded number at a time. Where all terms name one finished state, its index is walked.
 */
import type { SearchTerm } from "../../job/search.ts";
import { isFinished, type JobState } from "../../job/state.ts";
import { FINISHED, quoteStates } from "../guard.ts";
import type { SearchSlice } from "../shared/operations.ts";
import type { SearchQuery } from "../store.ts";
import type { Sql, SqlValue } from "./connection.ts";
import { JOB_COLUMNS, jobFromRow } from "./rows.ts";

/** So many jobs are looked at by one statement. */
const SLICE = 2_000;

/** Gives a value its place among the parameters. */
type Bind = (value: SqlValue) => string;

export async function searchSlice(
  { terms, limit, beforeSeq = Number.MAX_SAFE_INTEGER }: SearchQuery,
  sql: Sql,
): Promise<SearchSlice> {
  const source = sourceOf(terms);
  const slice = (await sql.get(
    `SELECT min(seq) AS least, count(*) AS found FROM (SELECT seq FROM jobs WHERE ${source} ` +
      `AND seq < $1 ORDER BY seq DESC LIMIT ${SLICE}) AS visited`,
    beforeSeq,
  ))!;
  const [least, found] = [slice["least"] as number | null, slice["found"] as number];
  if (least === null) return { page: { jobs: [], nextSeq: null }, nextSeq: null };
  const values: SqlValue[] = [beforeSeq, least, limit + 1];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const where = terms.map((term) => ` AND ${conditionOf(term, bind)}`).join("");
  const rows = await sql.all(
    `SELECT ${JOB_COLUMNS} FROM jobs WHERE ${source} AND seq < $1 AND seq >= $2${where} ` +
      "ORDER BY seq DESC LIMIT $3",
    ...values,
  );
  const jobs = rows.slice(0, limit).map(jobFromRow);
  if (rows.length > limit) {
    const nextSeq = jobs.at(-1)!.seq;
    return { page: { jobs, nextSeq }, nextSeq };
  }
  const nextSeq = found < SLICE ? null : least;
  return { page: { jobs, nextSeq }, nextSeq };
}

/** What is walked, as a condition to which others can be added. */
function sourceOf(terms: readonly SearchTerm[]): string {
  for (const term of terms) {
    if (term.type !== "state" || term.isNot || term.states.length !== 1) continue;
    const [state] = term.states as [JobState];
    if (isFinished(state)) return `state = '${state}' AND ${FINISHED}`;
  }
  return "true";
}

function conditionOf(term: SearchTerm, bind: Bind): string {
  const sql = positive(term, bind);
  // NULL is neither: a job without an error does not hold the word.
  return term.isNot ? `NOT coalesce((${sql}), false)` : `(${sql})`;
}

function positive(term: SearchTerm, bind: Bind): string {
  switch (term.type) {
    case "state":
      return `jobs.state IN (${quoteStates(term.states)})`;
    case "queue":
      return `jobs.queue = ${bind(term.name)}`;
    case "kind":
      return `jobs.kind = ${bind(term.name)}`;
    case "key":
      return `jobs.flow_key = ${bind(term.name)}`;
    case "worker":
      return `jobs.lease_worker = ${bind(term.name)}`;
    case "id":
      return `starts_with(jobs.id, ${bind(term.prefix)})`;
    case "created":
      return `jobs.created_at ${term.isBefore ? "<" : ">="} ${bind(term.atMs)}`;
    case "payload":
      return `json_text(jobs.payload, ${bind(term.path)}::text[]) ILIKE ` +
        `${bind(likePattern(term.value))} ESCAPE '\\'`;
    case "word": {
      const word = lowerAscii(term.word);
      const places = term.where === "any"
        ? [PLACES.id, PLACES.payload, PLACES.error, PLACES.output]
        : [PLACES[term.where]];
      return places.map((place) => place(word, bind)).join(" OR ");
    }
  }
}

/** The letters of ASCII only, whatever the server's language, as SQLite does it. */
const lower = (sql: string) => `lower(${sql} COLLATE "C")`;

const inText = (column: string, word: string, bind: Bind) =>
  `position(${bind(word)}::text IN ${lower(column)}) > 0`;

/** Bytes that may not be text are compared in the server's escaped form. */
const inBytes = (column: string, word: string, bind: Bind) =>
  inText(`encode(${column}, 'escape')`, escaped(word), bind);

type PlaceSql = (word: string, bind: Bind) => string;

const PLACES: Record<"id" | "payload" | "error" | "output", PlaceSql> = {
  id: (word, bind) => inText("jobs.id", word, bind),
  payload: (word, bind) =>
    `coalesce(${inText("jobs.payload", word, bind)}, ` +
    `${inBytes("jobs.payload_bytes", word, bind)})`,
  error: (word, bind) => inText("jobs.last_error", word, bind),
  output: (word, bind) =>
    "EXISTS (SELECT 1 FROM output WHERE output.seq = jobs.seq AND " +
    `${inBytes("output.bytes", word, bind)})`,
};

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** As `encode(…, 'escape')` writes it. */
function escaped(text: string): string {
  let result = "";
  for (const byte of new TextEncoder().encode(text)) {
    if (byte === 0x5c) result += "\\\\";
    else if (byte === 0 || byte >= 0x80) result += `\\${byte.toString(8).padStart(3, "0")}`;
    else result += String.fromCharCode(byte);
  }
  return result;
}

/** `*` stands for anything; case of ASCII letters does not matter. */
function likePattern(value: string): string {
  return value.replace(/[\\%_]/g, "\\$&").replaceAll("*", "%");
}
