/** Pages of jobs, newest first. */
import { LIMITS } from "../../job/job.ts";
import { statusOf } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import {
  nameParameter,
  type Parameters,
  parseQuery,
  STATES_PARAMETER,
  wholeNumber,
} from "../query.ts";

const CURSOR = /^[A-Za-z0-9]{1,32}$/;

export const LIST_PARAMETERS = {
  state: STATES_PARAMETER,
  queue: nameParameter("Only jobs of this queue."),
  kind: nameParameter("Only jobs of this kind."),
  limit: wholeNumber(1, LIMITS.listPage, `At most so many. Default: ${LIMITS.listPageDefault}.`),
  cursor: {
    parse: parseCursor,
    schema: { type: "string", pattern: CURSOR.source },
    description: "The next_cursor of the page before.",
  },
  q: {
    parse: (text: string) => ({ value: text }),
    schema: { type: "string", maxLength: 1_000, examples: ["state:dead error:timeout"] },
    description: "A search: qualifiers such as state:dead kind:resize payload.user:7, and words.",
  },
} satisfies Parameters;

export async function listJobs({ services, query }: Call): Promise<Response> {
  const { state, queue, kind, limit, cursor, q } = parseQuery(query, LIST_PARAMETERS);
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

/** Cursors are opaque, so that what they hold can change; the `1` tells old ones apart then. */
function formatCursor(seq: number): string {
  return btoa(`1:${seq}`).replaceAll("=", "");
}

function parseCursor(text: string): { value: number } | { expected: string } {
  const expected = "expected the next_cursor of a page";
  if (!CURSOR.test(text)) return { expected };
  try {
    const seq = /^1:(\d{1,15})$/.exec(atob(text))?.[1];
    return seq === undefined ? { expected } : { value: Number(seq) };
  } catch {
    return { expected };
  }
}
