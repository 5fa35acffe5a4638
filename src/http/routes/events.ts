/**
 * `GET /events`: what happens in the queue as it happens, as server-sent events (WHATWG HTML, section
 * "Server-sent events"). An id is `BATCH.INDEX`; who comes back with the last one goes on there.
 */
import { InvalidInputError, QueueFullError } from "../../job/errors.ts";
import type { FeedEvent, FeedFilter, Position } from "../../queue/feed.ts";
import { journalEventView } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { SECURITY_HEADERS } from "../headers.ts";
import { nameParameter, type Parameters, parseQuery, STATES_PARAMETER } from "../query.ts";

/** So many may follow at once: each holds a connection. */
const MOST_FOLLOWERS = 1_000;

/** A sign of life, so that proxies and clients know a quiet line from a dead one. */
const SIGN_OF_LIFE_MS = 15_000;

/** How soon a browser is to come back when the line breaks. */
const RETRY_MS = 2_000;

const POSITION = /^(\d{1,15})(?:\.(\d{1,9}))?$/;

export const EVENT_PARAMETERS = {
  job: nameParameter("Only events of this job."),
  queue: nameParameter("Only events of this queue, and of its jobs."),
  kind: nameParameter("Only events of jobs of this kind."),
  state: STATES_PARAMETER,
  last_event_id: {
    parse(text: string): { value: Position } | { expected: string } {
      const position = parsePosition(text);
      return position === null ? { expected: "expected the id of an event" } : { value: position };
    },
    schema: { type: "string", pattern: POSITION.source },
    description: "Go on after this event; the same as the header Last-Event-ID.",
  },
} satisfies Parameters;

export function getEvents(call: Call): Response {
  const { request, services: { feed }, query } = call;
  const { job, queue, kind, state, last_event_id } = parseQuery(query, EVENT_PARAMETERS);
  if (feed.size >= MOST_FOLLOWERS) {
    throw new QueueFullError(
      `expected at most ${MOST_FOLLOWERS} followers of events at once; try again later`,
    );
  }
  const header = request.headers.get("last-event-id");
  const resumed = header === null ? null : parsePosition(header);
  if (header !== null && header !== "" && resumed === null) {
    throw new InvalidInputError([{
      detail: `Last-Event-ID: expected the id of an event, got ${JSON.stringify(header)}`,
      pointer: "",
    }]);
  }
  const controller = new AbortController();
  const events = feed.follow({
    after: resumed ?? last_event_id ?? null,
    filter: {
      ...(job === undefined ? {} : { jobId: job }),
      ...(queue === undefined ? {} : { queue }),
      ...(kind === undefined ? {} : { kind }),
      ...(state === undefined ? {} : { states: state }),
    } satisfies FeedFilter,
    signal: controller.signal,
  });
  return new Response(streamOf(events, controller), {
    headers: {
      ...SECURITY_HEADERS,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      // nginx would hold events back
      "x-accel-buffering": "no",
    },
  });
}

/** Pulls events as fast as the reader takes them, and no faster. */
function streamOf(
  events: AsyncGenerator<FeedEvent | Position>,
  controller: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<FeedEvent | Position>> | null = null;
  return new ReadableStream<Uint8Array>({
    start(stream) {
      stream.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`));
    },
    async pull(stream) {
      next ??= events.next();
      const found = await orNull(next, SIGN_OF_LIFE_MS);
      if (controller.signal.aborted) return; // nobody reads any more
      if (found === null) return stream.enqueue(encoder.encode(": still here\n\n"));
      next = null;
      if (found.done) return stream.close();
      stream.enqueue(encoder.encode(render(found.value)));
    },
    async cancel() {
      controller.abort();
      // Where the reader was slow, nobody waits for the next event, and nothing would end it.
      await events.return(undefined);
    },
  });
}

function render(value: FeedEvent | Position): string {
  // An id alone: nothing to tell yet, but a place to come back to.
  if (!("event" in value)) return `id: ${formatPosition(value)}\n\n`;
  const { at, atMs, event } = value;
  const data = JSON.stringify(journalEventView(event, atMs));
  return `id: ${formatPosition(at)}\nevent: ${event.type}\ndata: ${data}\n\n`;
}

function formatPosition({ batch, index }: Position): string {
  return index === Number.MAX_SAFE_INTEGER ? `${batch}` : `${batch}.${index}`;
}

function parsePosition(text: string): Position | null {
  const match = POSITION.exec(text);
  if (match === null) return null;
  const index = match[2] === undefined ? Number.MAX_SAFE_INTEGER : Number(match[2]);
  return { batch: Number(match[1]), index };
}

/** What the promise brings; null: nothing in so long. */
async function orNull<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), ms));
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
