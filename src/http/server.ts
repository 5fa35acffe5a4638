/**
 * Puts the API together and starts it: listener, checks, routes. Owns what holds for the server as
 * a whole: where it may listen, and that it ends in bounded time.
 */
import type { Settings } from "../config/settings.ts";
import { ForbiddenError } from "../job/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Pages } from "../lib/pages.ts";
import { within } from "../lib/pause.ts";
import { EventFeed } from "../queue/feed.ts";
import type { Queue } from "../queue/queue.ts";
import { TokenGuard } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { BodyStreams } from "./body_stream.ts";
import { CrossOrigin } from "./cors.ts";
import { createDispatcher } from "./dispatch.ts";
import { HostGuard, isLoopbackAddress } from "./host.ts";
import { RequestsUnderWay } from "./idempotency.ts";
import { Listener } from "./listener.ts";
import { PageHost } from "./page_host.ts";
import { RateLimiter } from "./rate_limit.ts";
import type { QuietWatchOptions } from "./quiet_watch.ts";
import { Router } from "./router.ts";
import { ROUTES } from "./routes.ts";
import { mostBytesInMemory } from "./routes/submit.ts";
import { Sessions } from "./sessions.ts";
import { TokenBook } from "./token_book.ts";

export interface ServerOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly log: Logger;
  /** The token of the setting `token-file`; the others are in the store. */
  readonly token: string | null;
  /** True while the process is shutting down: then it says that it is not ready. */
  readonly isDraining: () => boolean;
  readonly version: string;
  /** What people see in a browser; missing: only the API is served. */
  readonly pages?: Pages;
  /** How long a body may stand still. */
  readonly bodyStallMs?: number;
  /** How much all bodies together may take while they are read. */
  readonly mostBodyBytes?: number;
  /** How long connections may be quiet. */
  readonly quiet?: QuietWatchOptions;
  /** How long `close` waits for requests that are being answered. */
  readonly closeMs?: number;
}

export interface Server {
  /** Where to reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and waits, for a limited time, for requests that are being answered. */
  close(): Promise<void>;
}

/** The slowest body that is put up with, on average, once it takes longer than a stall may. */
const LEAST_BYTES_PER_S = 1_024;

/** How much all bodies together may take while they are read; at least two of the largest. */
const MOST_BODY_BYTES = 128 * 1024 * 1024;

/** How many large uploads may come at once; each holds some megabytes while it is written. */
const MOST_UPLOADS = 64;

/** How long requests whose bodies were given up may take to be answered. */
const GIVEN_UP_MS = 500;

/**
 * Serves the API.
 *
 * @throws {QueueError} saying why the address cannot be listened on.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { queue } = options;
  const book = await TokenBook.open(queue.store, queue.clock);
  try {
    const server = listen(options, book);
    return { ...server, close: () => server.close().finally(() => book.close()) };
  } catch (error) {
    await book.close();
    throw error;
  }
}

function listen(options: ServerOptions, book: TokenBook): Server {
  const { settings, log, token } = options;
  const hostname = settings.host;
  const isLoopback = isLoopbackAddress(hostname);
  const hasToken = token !== null || book.isUsable;
  if (!isLoopback && !hasToken && !settings.insecure) {
    throw new ForbiddenError(
      `refusing to listen on ${hostname} without a token: other machines could use the queue; ` +
        "make one with queuectl token create or give one with --token-file, or say --insecure",
    );
  }
  const patience = { stallMs: options.bodyStallMs ?? 30_000, leastBytesPerS: LEAST_BYTES_PER_S };
  const uploads = new BodyStreams({ ...patience, most: MOST_UPLOADS });
  const bodies = new BodyReader({
    ...patience,
    mostBytes: options.mostBodyBytes ??
      Math.max(MOST_BODY_BYTES, 2 * mostBytesInMemory(settings["upload-limit"])),
  });
  const feed = new EventFeed(options.queue.store, options.queue.clock);
  const router = new Router(ROUTES);
  const tokens = new TokenGuard({
    fileToken: token,
    book,
    isRequired: token !== null || settings["require-token"] ||
      (!isLoopback && !settings.insecure),
    isLoopback,
  });
  const sessions = new Sessions(tokens);
  const crossOrigin = new CrossOrigin(settings["cors-origins"]);
  const requests = new RequestsUnderWay();
  const services = { ...options, feed, bodies, uploads, requests, startedAtMs: performance.now() };
  const { pages } = options;
  const handler = createDispatcher({
    router,
    hosts: new HostGuard(hostname, settings["allowed-hosts"]),
    tokens,
    crossOrigin,
    pages: pages === undefined
      ? null
      : new PageHost({ pages, sessions, router, crossOrigin, services }),
    rates: settings["rate-limit"] === null ? null : new RateLimiter(settings["rate-limit"]),
    services,
  });
  const { port, "max-connections": maxConnections } = settings;
  const listener = new Listener({
    hostname,
    port,
    handler,
    log,
    maxConnections,
    quiet: options.quiet,
  });
  sessions.cookieName = `queuectl-${listener.port}`;
  return {
    url: listener.url,
    port: listener.port,
    async close() {
      // A stalled upload would hold the listener for ever: it gets a while, then it is given up.
      const closed = listener.close();
      feed.close(); // a line that stays open for events would never be answered to its end
      await within(closed, options.closeMs ?? 5_000);
      bodies.close();
      uploads.close();
      await within(closed, GIVEN_UP_MS);
    },
  };
}
