/**
 * What people type to find jobs: `state:dead kind:resize payload.user:7 error:timeout "two words"`.
 * Owns the language; a store turns the terms into its own conditions.
 */
import { InvalidInputError, type Problem } from "./errors.ts";
import { isJobState, type JobState, STATES } from "./state.ts";

/** One condition. All of them must hold. */
export type SearchTerm =
  & { readonly isNot: boolean }
  & (
    | { readonly type: "state"; readonly states: readonly JobState[] }
    | { readonly type: "queue" | "kind" | "key" | "worker"; readonly name: string }
    /** The beginning of an id. */
    | { readonly type: "id"; readonly prefix: string }
    /** Where a word must stand; `any`: in the id, the payload, the error or the output. */
    | { readonly type: "word"; readonly where: SearchedText; readonly word: string }
    /** A member of a JSON payload; `*` stands for anything. */
    | { readonly type: "payload"; readonly path: readonly string[]; readonly value: string }
    | { readonly type: "created"; readonly isBefore: boolean; readonly atMs: number }
  );

export type SearchedText = "any" | "payload" | "error" | "output";

const MOST_TERMS = 20;
const MOST_LENGTH = 1_000;

/** How each qualifier is read. To add one, add a row. */
const QUALIFIERS: Readonly<
  Record<string, (value: string) => { term: Plain } | { problem: string }>
> = {
  state(value) {
    const states = value.split(",");
    return states.every(isJobState)
      ? { term: { type: "state", states } }
      : { problem: `expected one or more of ${STATES.join(", ")}` };
  },
  queue: (name) => ({ term: { type: "queue", name } }),
  kind: (name) => ({ term: { type: "kind", name } }),
  key: (name) => ({ term: { type: "key", name } }),
  worker: (name) => ({ term: { type: "worker", name } }),
  id: (prefix) => ({ term: { type: "id", prefix } }),
  error: (word) => ({ term: { type: "word", where: "error", word } }),
  output: (word) => ({ term: { type: "word", where: "output", word } }),
  payload: (word) => ({ term: { type: "word", where: "payload", word } }),
  before: (value) => readInstant(value, true),
  after: (value) => readInstant(value, false),
};

type Plain = SearchTerm extends infer T ? T extends SearchTerm ? Omit<T, "isNot"> : never : never;

/**
 * The terms of a search; none: every job.
 *
 * @throws {InvalidInputError} with every problem.
 */
export function parseSearch(text: string): SearchTerm[] {
  const fail = (problems: Problem[]) => new InvalidInputError(problems);
  if (text.length > MOST_LENGTH) {
    const detail = `q: expected at most ${MOST_LENGTH} characters, got ${text.length}`;
    throw fail([{ detail, pointer: "/q" }]);
  }
  const terms: SearchTerm[] = [];
  const problems: Problem[] = [];
  for (const token of tokensOf(text)) {
    const read = readToken(token);
    if ("problem" in read) problems.push({ detail: `q: ${read.problem}`, pointer: "/q" });
    else terms.push(read.term);
  }
  if (terms.length > MOST_TERMS) {
    problems.push({ detail: `q: expected at most ${MOST_TERMS} terms`, pointer: "/q" });
  }
  if (problems.length > 0) throw fail(problems);
  return terms;
}

interface Token {
  readonly isNot: boolean;
  /** What stands before a colon that is not quoted. */
  readonly qualifier: string | null;
  readonly value: string;
}

const TOKEN = /(-?)(?:([A-Za-z][\w.-]*):)?("(?:[^"\\]|\\.)*"?|\S+)/g;

function* tokensOf(text: string): Generator<Token> {
  for (const [, minus, qualifier, value] of text.matchAll(TOKEN)) {
    yield { isNot: minus === "-", qualifier: qualifier ?? null, value: unquoted(value!) };
  }
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined)
    .replace(/\\(.)/g, "$1");
}

function readToken(token: Token): { term: SearchTerm } | { problem: string } {
  const { isNot, qualifier, value } = token;
  if (value === "") return { problem: "expected something between the quotes, got nothing" };
  if (qualifier === null) return { term: { isNot, type: "word", where: "any", word: value } };
  const [first, ...path] = qualifier.split(".");
  if (first === "payload" && path.length > 0) {
    if (path.some((part) => part === "")) return { problem: `${qualifier}: a name is missing` };
    return { term: { isNot, type: "payload", path, value } };
  }
  const read = Object.hasOwn(QUALIFIERS, qualifier) ? QUALIFIERS[qualifier]! : undefined;
  if (read === undefined) {
    const known = [...Object.keys(QUALIFIERS), "payload.NAME"].join(", ");
    return {
      problem: `there is no qualifier ${JSON.stringify(qualifier)}; they are ${known}; ` +
        "put quotes around a word that holds a colon",
    };
  }
  const found = read(value);
  if ("problem" in found) {
    return { problem: `${qualifier}: ${found.problem}, got ${JSON.stringify(value)}` };
  }
  return { term: { ...found.term, isNot } as SearchTerm };
}

function readInstant(text: string, isBefore: boolean): { term: Plain } | { problem: string } {
  const isIso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const isZoned = /(Z|[+-]\d\d:\d\d)$/.test(text) || !text.includes("T");
  const atMs = isIso ? Date.parse(isZoned ? text : `${text}Z`) : NaN;
  if (Number.isNaN(atMs)) {
    return { problem: "expected a time such as 2030-12-01 or 2030-12-01T10:00Z" };
  }
  return { term: { type: "created", isBefore, atMs } };
}
