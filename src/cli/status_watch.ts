/**
 * `queuectl status --watch`: the queue at a glance, again with every change. In place on a terminal,
 * elsewhere as text or JSON documents one after the other. Owns the drawing; knows no keys.
 *
 * Invariant: whatever ends it, the cursor is shown again, below what was drawn.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import { isoTime } from "../lib/clock.ts";
import type { FeedEvent } from "../queue/feed.ts";
import type { Queue } from "../queue/queue.ts";
import { type Json, statsView } from "../queue/views.ts";
import type { Invocation } from "./command.ts";
import { LiveQueue } from "./live.ts";
import type { Output } from "./output.ts";
import { catchSignals } from "./signals.ts";
import { type Overview, STEP_MS, STEPS } from "./top/overview.ts";
import { InPlace } from "./top/in_place.ts";
import { statusLines } from "./top/status_lines.ts";

/** Between two looks: people see no more, and programs are not flooded. */
const TERMINAL_PACE = { leastMs: 200, mostMs: 1_000 };
const LINES_PACE = { leastMs: 1_000, mostMs: 5_000 };

/** So many of the last happenings are shown. */
const SHOWN_EVENTS = 8;

export async function watchStatus(
  invocation: Invocation,
  { queue, print }: { queue: Queue; print: (out: Output, overview: Overview) => void },
): Promise<void> {
  const { out } = invocation;
  using signals = catchSignals();
  const ending = new AbortController();
  signals.first.then(() => ending.abort());
  const { signal } = ending;
  if (out.isTerminal && !out.isJson) await redraw(invocation, { queue, signal });
  else await repeat(invocation, { queue, signal, print });
}

async function redraw(
  { io, out }: Invocation,
  { queue, signal }: { queue: Queue; signal: AbortSignal },
): Promise<void> {
  using place = new InPlace(io, out.colors);
  const live = new LiveQueue(queue, { ...TERMINAL_PACE, signal });
  let overview: Overview | null = null;
  let events: readonly FeedEvent[] = [];
  let problem: string | null = null;
  for await (const news of live.looks()) {
    events = [...events, ...news.filter(isTold)].slice(-SHOWN_EVENTS);
    try {
      overview = await lookAt(queue);
      problem = null;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      problem = error.message;
    }
    if (signal.aborted) break;
    const { columns, rows } = io.stdout;
    place.draw(statusLines({ overview, events, problem, size: { columns, rows } }));
  }
}

/** That a job has been started says enough. */
function isTold({ event }: FeedEvent): boolean {
  return event.type !== "job.processing";
}

/** What is the same as the last time is not printed again. */
async function repeat(
  { out }: Invocation,
  { queue, signal, print }: {
    queue: Queue;
    signal: AbortSignal;
    print: (out: Output, overview: Overview) => void;
  },
): Promise<void> {
  const live = new LiveQueue(queue, { ...LINES_PACE, signal });
  let last = "";
  for await (const _news of live.looks()) {
    const overview = await lookAt(queue);
    if (signal.aborted) break;
    const { stats, workers, nowMs } = overview;
    const view = statsView(stats, workers, nowMs);
    const now = lasting(view);
    if (now === last) continue;
    if (out.isJson) out.json({ at: isoTime(nowMs), ...view });
    else {
      if (last !== "") out.line();
      out.line(isoTime(nowMs)!);
      print(out, overview);
    }
    last = now;
  }
}

/** What does not change by itself as time goes by. */
function lasting({ jobs, queues, workers, oldest_ready: oldest }: Json): string {
  const beats = new Set(["heartbeat_at", "waiting_ms"]);
  return JSON.stringify(
    { jobs, queues, workers, oldest },
    (name, value) => beats.has(name) ? undefined : value,
  );
}

async function lookAt(queue: Queue): Promise<Overview> {
  const [stats, workers, history] = await Promise.all([
    queue.stats(),
    queue.workers(),
    queue.history(STEPS, STEP_MS),
  ]);
  return { stats, workers, history, nowMs: queue.clock() };
}
