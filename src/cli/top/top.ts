/**
 * Runs `top` until it is left: keys and changes in, screens out. Owns the order of things; what is
 * shown is decided in `state.ts`, looked up in `content.ts` and drawn by `screen_lines.ts`.
 *
 * Invariant: whatever ends it, signals and errors too, the terminal is given back first.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { isLeased } from "../../job/state.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Invocation } from "../command.ts";
import { isExpected } from "../exit.ts";
import { LiveQueue } from "../live.ts";
import { catchFailures, catchSignals } from "../signals.ts";
import { type Content, ContentReader } from "./content.ts";
import { type Key, KeyReader } from "./keys.ts";
import { FullScreen } from "./screen.ts";
import { heightOf, type Notice, type Scene, screenLines, shownOf } from "./screen_lines.ts";
import { type Deed, press, START, type TopState } from "./state.ts";

/** Between two looks at the queue. */
const PACE = { leastMs: 200, mostMs: 1_000 };

/** How long a notice stays. */
const NOTICE_MS = 6_000;

/** A sequence of characters that is sent for one key comes within this time. */
const SEQUENCE_MS = 50;

export async function watchTop({ io, out }: Invocation, queue: Queue): Promise<void> {
  using signals = catchSignals(["SIGINT", "SIGTERM", "SIGHUP"]);
  using failures = catchFailures();
  const over = Promise.withResolvers<void>();
  const ending = new AbortController();
  let state: TopState = START;
  let content: Content | null = null;
  let notice: (Notice & { untilMs: number }) | null = null;

  using screen = new FullScreen(io, out.colors);
  const live = new LiveQueue(queue, { ...PACE, signal: ending.signal });
  const reader = new ContentReader(queue);
  const scene = (): Scene => ({
    state,
    content,
    size: { columns: io.stdout.columns, rows: io.stdout.rows },
    notice: notice !== null && notice.untilMs > performance.now() ? notice : null,
    nowMs: queue.clock(),
  });
  const draw = () => screen.draw(screenLines(scene()));
  const tell = (text: string, isError: boolean) => {
    notice = { text, isError, untilMs: performance.now() + NOTICE_MS };
    draw();
  };

  const onKey = (key: Key) => {
    const step = press(state, key, shownOf(scene()));
    if (step.isOver) return over.resolve();
    const isElsewhere = step.state.view !== state.view || step.state.tab !== state.tab ||
      step.state.search !== state.search;
    if (isElsewhere || step.state.prompt !== null) notice = null;
    // What is known of another view is not shown in this one.
    if (isElsewhere && content !== null) content = keepFor(step.state, state, content);
    state = step.state;
    draw();
    live.lookNow();
    if (step.deed !== undefined) {
      perform(step.deed, queue).then(
        (text) => tell(text, false),
        (error) => isExpected(error) ? tell(error.message, true) : over.reject(error),
      ).finally(() => live.lookNow());
    }
  };

  const look = async () => {
    for await (const _events of live.looks()) {
      const asked = state;
      try {
        const found = await reader.read(asked, {
          height: heightOf(scene().size),
          isWanted: () =>
            state.tab === asked.tab && state.search === asked.search && !ending.signal.aborted,
        });
        // Meanwhile another tab may have been opened, whose look comes next.
        content = keepFor(state, asked, found);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        notice = { text: error.message, isError: true, untilMs: performance.now() + NOTICE_MS };
      }
      draw();
    }
  };

  using _resizes = onResize(draw);
  draw();
  const looking = look();
  readKeys(io.stdin.readable(), onKey).then(over.resolve, over.reject);
  try {
    await Promise.race([
      over.promise,
      looking,
      signals.first,
      failures.first.then((error) => Promise.reject(error)),
    ]);
  } finally {
    ending.abort();
    await looking.catch(() => {});
  }
}

/** Of what is known for one state, what another one shows too. */
function keepFor(wanted: TopState, known: TopState, content: Content): Content {
  const { overview, listed, page } = content;
  const isSameList = wanted.tab === known.tab && wanted.search === known.search;
  const isSamePage = wanted.view.type === "job" && known.view.type === "job" &&
    wanted.view.id === known.view.id;
  return { overview, listed: isSameList ? listed : null, ...(isSamePage ? { page } : {}) };
}

async function perform({ type, id }: Deed, queue: Queue): Promise<string> {
  if (type === "requeue") {
    const { state } = await queue.requeue(id);
    return `Job ${id} is ${state} again`;
  }
  const { state, cancelRequestedAtMs } = await queue.cancel(id);
  if (state === "cancelled") return `Job ${id} is cancelled`;
  return isLeased(state) && cancelRequestedAtMs !== null
    ? `Job ${id} was asked to stop; it is still ${state}`
    : `Job ${id} ended before it could be cancelled: it is ${state}`;
}

/** Until there are no more. */
async function readKeys(
  stdin: ReadableStream<Uint8Array>,
  onKey: (key: Key) => void,
): Promise<void> {
  const keys = new KeyReader();
  const decoder = new TextDecoder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of stdin) {
    clearTimeout(timer);
    for (const key of keys.read(decoder.decode(bytes, { stream: true }))) onKey(key);
    if (keys.isWaiting) timer = setTimeout(() => keys.flush().forEach(onKey), SEQUENCE_MS);
  }
}

function onResize(draw: () => void): Disposable {
  const listener = () => draw();
  Deno.addSignalListener("SIGWINCH", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGWINCH", listener) };
}
