/** Pages of jobs, newest first. */
import { LIMITS } from "../../job/job.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { isJobState, type JobState, STATES } from "../../job/state.ts";
import { statusOf } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { type ParameterParser, parseQuery, wholeNumber } from "../query.ts";

const PARAMETERS = {
  state: parseStates,
  queue: parseName,
  kind: parseName,
  limit: wholeNumber(1, LIMITS.listPage),
  cursor: parseCursor,
  q: (text: string) => ({ value: text }),
} satisfies Record<string, ParameterParser<unknown>>;

export async function listJobs({ services, query }: Call): Promise<Response> {
  const { state, queue, kind, limit, cursor, q } = parseQuery(query, PARAMETERS);
  const page = await services.queue.list({
    states: state,
    queue,
    kind,
    limit: limit ?? LIMITS.listPageDefault,
    beforeSeq: cursor,
    search: q,
  });
  return json({
    jobs: await Promise.all(page.jobs.map((job) => statusOf(job, services.queue))),
    next_cursor: page.nextSeq === null ? null : formatCursor(page.nextSeq),
  });
}

/** One state, or several separated by commas. */
function parseStates(text: string): { value: JobState[] } | { expected: string } {
  const words = text.split(",");
  return words.every(isJobState)
    ? { value: words }
    : { expected: `expected one or more of ${STATES.join(",")}` };
}

function parseName(text: string): { value: string } | { expected: string } {
  return ID_PATTERN.test(text)
    ? { value: text }
    : { expected: "expected a name of 1 to 64 characters of A-Z a-z 0-9 . _ : -" };
}

/** Cursors are opaque, so that what they hold can change; the `1` tells old ones apart then. */
function formatCursor(seq: number): string {
  return btoa(`1:${seq}`).replaceAll("=", "");
}

function parseCursor(text: string): { value: number } | { expected: string } {
  const expected = "expected the next_cursor of a page";
  if (!/^[A-Za-z0-9]{1,32}$/.test(text)) return { expected };
  try {
    const seq = /^1:(\d{1,15})$/.exec(atob(text))?.[1];
    return seq === undefined ? { expected } : { value: Number(seq) };
  } catch {
    return { expected };
  }
}
